import fc from 'fast-check';
import Fastify from 'fastify';
import type { FastifyInstance } from 'fastify';
import { discoveryServer } from '../discovery-server.ts';
import { Registry } from '../registry.ts';

const odd = fc.constantFrom(
  ...[
    '',
    ' ',
    '.',
    '..',
    '*',
    '%',
    '%00',
    '%zz',
    '%2F',
    '__proto__',
    'constructor',
    'a/b',
    'ü',
    '\u0000',
    '\n',
    '0',
  ],
  ...[
    '-1',
    '1e3',
    'NaN',
    'null',
    '[object Object]',
    'a'.repeat(300),
    '٣',
    '\ud800',
    '<script>',
    "' OR 1=1 --",
  ],
);
const names = fc.constantFrom('user-service', 'a', 'b-1');
const segment = fc.oneof(names, fc.constantFrom('4000', '1', 'x', '127.0.0.1:4000'), odd, fc.string());
const encode = (text: string) => {
  try {
    return encodeURIComponent(text);
  } catch {
    return 'x';
  }
};

const path = fc.oneof(
  fc.constantFrom(
    '/register',
    '/heartbeat',
    '/heartbeats',
    '/services',
    '/health',
    '/sd/prometheus',
    '/openapi.json',
  ),
  segment.map((name) => `/services/${encode(name)}`),
  fc.tuple(segment, segment).map(([a, b]) => `/services/${encode(a)}/${encode(b)}`),
  fc
    .tuple(segment, segment, fc.constantFrom('drain', 'status', 'weight', 'other'))
    .map(([a, b, what]) => `/services/${encode(a)}/${encode(b)}/${what}`),
  // Sessions of nobody are refused; a watch would stay open.
  fc.constantFrom('/session', '/watch?services=', '/watch?status=up', '/watch?unknown=1'),
);

const queryKey = fc.constantFrom(
  ...[
    'namespace',
    'status',
    'zone',
    'version',
    'limit',
    'after',
    'offset',
    'search',
    'instances',
    'meta.a',
    'meta.__proto__',
    'host',
    'id',
    'incarnation',
    'service',
  ],
  '__proto__',
);
const queryValue = fc.oneof(
  odd,
  fc.string(),
  fc.constantFrom('up', 'any', '^1.0.0', '>=1 <2', '10', 'default', 'first'),
);
const someQuery = fc
  .array(fc.tuple(queryKey, queryValue), { maxLength: 4 })
  .map((pairs) => pairs.map(([key, value]) => `${key}=${encode(value)}`).join('&'));

/** Routes that change something take none. */
const query = fc.oneof({ weight: 2, arbitrary: fc.constant('') }, someQuery);

/** Nearly always as it should be, so that what is nearly right gets far. */
const mostly = (good: fc.Arbitrary<unknown>) =>
  fc.oneof({ weight: 12, arbitrary: good }, { weight: 1, arbitrary: fc.oneof(odd, fc.jsonValue()) });

const almost = fc.record(
  {
    name: mostly(names),
    port: mostly(fc.integer({ min: 1, max: 300 })),
    namespace: mostly(names),
    id: mostly(fc.constantFrom('x', '127.0.0.1:4000', '1')),
    host: mostly(fc.oneof(fc.constantFrom('127.0.0.1', 'localhost', '::1'), fc.domain(), fc.ipV6())),
    zone: mostly(names),
    version: mostly(fc.constantFrom('1.2.3', '10.0.0-a+b')),
    healthCheckUrl: mostly(fc.webUrl()),
    check: mostly(
      fc.record(
        {
          type: fc.constantFrom('http', 'tcp', 'grpc', 'ttl'),
          path: fc.constant('/a'),
          rise: fc.integer({ min: 1, max: 9 }),
        },
        { requiredKeys: ['type'] },
      ),
    ),
    metadata: mostly(fc.dictionary(fc.string({ minLength: 1 }), fc.string())),
    weight: mostly(fc.double({ min: 0.001, max: 1000, noNaN: true })),
    heartbeatInterval: mostly(fc.double({ min: 0.05, max: 10, noNaN: true })),
    healthy: mostly(fc.boolean()),
    incarnation: mostly(fc.constantFrom('first', 'second')),
  },
  { requiredKeys: ['name', 'port'] },
);
const body = fc.oneof(
  almost.map((one) => JSON.stringify(one)),
  fc.array(almost, { maxLength: 4 }).map((heartbeats) => JSON.stringify({ heartbeats })),
  fc
    .record({ status: fc.oneof(fc.constantFrom('up', 'draining', 'maintenance'), odd) })
    .map((one) => JSON.stringify(one)),
  fc.record({ weight: fc.oneof(fc.double(), fc.constant(null), odd) }).map((one) => JSON.stringify(one)),
  fc.json(),
  fc.string(),
);
const headerValue = fc.oneof(
  fc.constantFrom(
    'application/json',
    'text/plain',
    'W/"x:1"',
    '*',
    'localhost',
    'evil.example',
    'Bearer x',
    'http://evil.example',
  ),
  fc.string().map((text) => text.replace(/[^\x20-\x7e]/g, '')),
);
const headers = fc.dictionary(
  fc.constantFrom(
    'content-type',
    'if-none-match',
    'host',
    'origin',
    'authorization',
    'accept',
    'last-event-id',
  ),
  headerValue,
  { maxKeys: 3 },
);

const methods = fc.constantFrom('GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS');

/** Any method anywhere, and more often one that is known there. */
const calls = fc.oneof(
  fc.tuple(methods, path),
  fc.tuple(
    fc.constant('POST' as const),
    fc.constantFrom('/register', '/heartbeat', '/heartbeats', '/session'),
  ),
  fc.tuple(fc.constant('GET' as const), path),
  fc.tuple(
    fc.constantFrom('PUT' as const, 'DELETE' as const),
    fc
      .tuple(
        names,
        fc.constantFrom('4000', '1', 'x', '127.0.0.1:4000'),
        fc.constantFrom('', '/drain', '/status', '/weight'),
      )
      .map(([name, id, what]) => `/services/${name}/${id}${what}`),
  ),
);

const maximumInstances = 200;

/** What a run found. */
export interface FuzzOutcome {
  /** How often each status was answered. */
  readonly statuses: ReadonlyMap<number, number>;
  /** The smallest request that is answered as none may be; undefined when there was none. */
  readonly fault: string | undefined;
  readonly isHealthy: boolean;
}

/** Sends so many requests of every kind of nonsense, and of what is nearly right, to a registry. */
export async function fuzzRequests(runs: number, seed?: number): Promise<FuzzOutcome> {
  const registry = new Registry({ maximumInstances, maximumOverrides: 50 });
  const app = Fastify({ onProtoPoisoning: 'ignore', onConstructorPoisoning: 'ignore' });
  await app.register(discoveryServer, { registry });
  const statuses = new Map<number, number>();
  const property = fc.asyncProperty(
    ...[calls, query, body, headers, fc.boolean()],
    async ([method, url], search, payload, more, isPlain) => {
      const takesBody = method !== 'GET' && method !== 'HEAD' && method !== 'OPTIONS';
      const answer = await app.inject({
        method,
        url: search === '' ? url : `${url}${url.includes('?') ? '&' : '?'}${search}`,
        headers: { ...(takesBody && { 'content-type': 'application/json' }), ...(!isPlain && more) },
        ...(takesBody && { payload }),
      });
      statuses.set(answer.statusCode, (statuses.get(answer.statusCode) ?? 0) + 1);
      return faultOf(answer) === undefined && registry.size <= maximumInstances;
    },
  );
  const run = await fc.check(property, { numRuns: runs, ...(seed !== undefined && { seed }) });
  const isHealthy = (await app.inject('/health')).json<{ status: string }>().status === 'healthy';
  await app.close();
  registry.close();
  const fault = run.failed ? `${JSON.stringify(run.counterexample)} (seed ${run.seed})` : undefined;
  return { statuses, fault, isHealthy };
}

type Answer = Awaited<ReturnType<FastifyInstance['inject']>>;

function faultOf({ statusCode, body: text }: Answer): string | undefined {
  // A registry that is full says so; that is no fault of its.
  if (statusCode >= 500 && !(statusCode === 503 && text.includes('ERR_UNAVAILABLE'))) return `${statusCode}`;
  return statusCode >= 400 && statusCode !== 404 && /node_modules|\.ts:\d/.test(text)
    ? 'tells of its inside'
    : undefined;
}
