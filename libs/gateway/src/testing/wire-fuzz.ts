/** Requests that nobody sends by accident, on the wire; one definition for the test and for the long run (`bench/gateway-fuzz.bench.ts`). */
import fc from 'fast-check';
import assert from 'node:assert/strict';
import { smallMesh } from './small-mesh.ts';
import { cleanUp, exchange, statusesOf } from './raw-http.ts';
import { valuesOf, type WireRequest } from './wire-request.ts';

const byte = fc.integer({ min: 0, max: 255 }).map((code) => String.fromCharCode(code));
const odd = fc.constantFrom(
  ...[
    '\r',
    '\n',
    '\r\n',
    '\0',
    ' ',
    '\t',
    ':',
    ',',
    ';',
    '%',
    '%2f',
    '%2e',
    '..',
    '/',
    '//',
    '\\',
    '?',
    '#',
    '@',
    '_',
    '0',
    '\x7f',
    '\xff',
  ],
);
/** The first, nine times of ten. */
function mostly<const T extends string>(first: T, ...others: readonly T[]): fc.Arbitrary<T> {
  return fc.oneof({ arbitrary: fc.constant(first), weight: 9 }, fc.constantFrom(...others));
}

const token = fc.stringMatching(/^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,8}$/);
const name = fc.oneof(
  fc.constantFrom(
    'Content-Length',
    'Transfer-Encoding',
    'Connection',
    'Host',
    'X-Forwarded-For',
    'X-Mesh-Hops',
    'Expect',
    'Upgrade',
    'TE',
    '__proto__',
  ),
  { arbitrary: token, weight: 3 },
  fc.string({ maxLength: 8 }),
);
const value = fc.oneof(
  fc.constantFrom(
    '0',
    '3',
    'chunked',
    'identity',
    'close',
    'keep-alive, x',
    'a',
    '100-continue',
    'websocket',
    'trailers',
  ),
  fc.string({ maxLength: 12 }),
);
/** Most parts are sound, so that a good share of what is written gets as far as an instance. */
const request = fc.record({
  method: mostly('GET', 'POST', 'HEAD', 'PUT', 'OPTIONS', 'get', 'G ET'),
  target: fc
    .tuple(
      mostly('/users', '/api/user-service', '/api/admin-service', '/api', ''),
      fc.array(fc.oneof({ arbitrary: token, weight: 6 }, fc.constant('/'), odd), { maxLength: 4 }),
    )
    .map(([start, rest]) => start + rest.join('')),
  version: mostly('HTTP/1.1', 'HTTP/1.0', 'HTTP/2.0', ''),
  fields: fc.array(fc.tuple(name, mostly(': ', ':', ' : ', ''), value), { maxLength: 4 }),
  body: mostly(
    '',
    '3\r\nabc\r\n0\r\n\r\n',
    'abc',
    '0\r\n\r\nGET /users/smuggled HTTP/1.1\r\nHost: a\r\n\r\n',
  ),
  damage: fc.oneof(
    fc.constant<[number, string][]>([]),
    fc.array(fc.tuple(fc.nat(200), fc.oneof(odd, byte)), { minLength: 1, maxLength: 3 }),
  ),
});

/** What is written on the wire. */
function written({
  method,
  target,
  version,
  fields,
  body,
  damage,
}: typeof request extends fc.Arbitrary<infer R> ? R : never): string {
  const head = [
    `${method} ${target} ${version}`,
    'Host: a',
    ...fields.map((field) => field.join('')),
    '',
    '',
  ];
  return damage.reduce(
    (text, [at, what]) => text.slice(0, at) + what + text.slice(at),
    head.join('\r\n') + body,
  );
}

const ours = ['x-forwarded-for', 'via', 'traceparent', 'x-request-id'];

/** What an instance has read must have one identity, and a target that cannot be taken for another host's. */
function judge({ headers, target }: WireRequest): void {
  for (const one of ours) assert.equal(valuesOf(headers, one).length, 1, one);
  assert.deepEqual(valuesOf(headers, 'x-forwarded-for'), ['127.0.0.1']);
  assert.ok(valuesOf(headers, 'host').length <= 1, 'two hosts');
  // A backslash is a slash to some readers, but not behind the question mark.
  assert.match(target, /^\/(?!\/)[^\s\\#?]*(?:\?[^\s#]*)?$/);
}

/** What has become of the inputs. */
export interface FuzzReport {
  readonly inputs: number;
  /** Requests that reached an instance. */
  readonly arrived: number;
  /** Answers of the gateway, by status. */
  readonly answers: ReadonlyMap<number, number>;
}

/** So many inputs are on the wire at once. */
const atOnce = 16;

/**
 * Writes inputs to a gateway before two recording instances. Whatever a client writes, what an instance reads is plain: `requests` throws
 * when its bytes are outside of the subset that every parser reads the same way.
 *
 * @throws Error with the smallest failing batch and the seed.
 */
export async function fuzzGateway(inputs: number): Promise<FuzzReport> {
  const mesh = await smallMesh();
  const answers = new Map<number, number>();
  let arrived = 0;
  const look = (): void => {
    const requests = [...mesh.users.requests, ...mesh.admin.requests];
    mesh.users.forget();
    mesh.admin.forget();
    requests.forEach(judge);
    arrived += requests.length;
  };
  const batches = Math.ceil(inputs / atOnce);
  try {
    await fc.assert(
      fc.asyncProperty(fc.array(request, { minLength: atOnce, maxLength: atOnce }), async (batch) => {
        const texts = await Promise.all(
          batch.map((parts) => exchange(mesh.port, written(parts), { answers: 1, waitMs: 60 })),
        );
        for (const status of texts.flatMap(statusesOf)) {
          answers.set(status, (answers.get(status) ?? 0) + 1);
          assert.notEqual(status, 500);
        }
        look();
      }),
      { numRuns: batches },
    );
    // It still serves, and what came late is plain too.
    assert.deepEqual(
      statusesOf(await exchange(mesh.port, 'GET /users HTTP/1.1\r\nHost: a\r\n\r\n', { answers: 1 })),
      [200],
    );
    look();
  } finally {
    await cleanUp();
  }
  return { inputs: batches * atOnce, arrived, answers };
}
