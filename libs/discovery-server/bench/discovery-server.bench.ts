/** What the registry costs by itself, what its routes cost against bare Fastify routes, and what a change costs a watcher. */
import { fastify } from 'fastify';
import type { InjectOptions } from 'fastify';
import { contest } from '../../../tools/contest.mts';
import { discoveryServer, Registry, WatchHub } from '../src/index.ts';

function filled(instances: number): Registry {
  const registry = new Registry({ maximumInstances: instances });
  for (let at = 0; at < instances; at++) registry.register(registration(at));
  return registry;
}

/** 64 instances a service. */
function registration(at: number) {
  const host = `10.${at >> 16}.${(at >> 8) & 255}.${at & 255}`;
  return { name: `service-${at >> 6}`, host, port: 4000, heartbeatInterval: 3600 };
}

function each(name: string, instances: number, run: (at: number) => unknown) {
  return {
    name,
    run(iterations: number) {
      for (let at = 0; at < iterations; at++) run(at % instances);
    },
  };
}

const small = filled(64);
const large = filled(100_000);
await contest(
  'heartbeat()',
  [
    each('64 instances', 64, (at) => small.heartbeat(registration(at))),
    each('100 000 instances', 100_000, (at) => large.heartbeat(registration(at))),
  ],
  [{ of: '100 000 instances', against: '64 instances', atMost: 4 }],
);
await contest('register() with the same content', [
  each('64 instances', 64, (at) => small.register(registration(at))),
  each('100 000 instances', 100_000, (at) => large.register(registration(at))),
]);
const map = new Map([['service-0', small.peek('service-0')]]);
let sink: unknown;
await contest('peek()', [
  each('Map.get', 64, () => (sink = map.get('service-0'))),
  each('64 instances', 64, () => (sink = small.peek('service-0'))),
  each('100 000 instances', 100_000, (at) => (sink = large.peek(`service-${at >> 6}`))),
]);

const bare = fastify();
bare.post('/beat', () => ({ ok: true }));
bare.get('/one', () => ({ ok: true }));
const sent = JSON.stringify(small.find('service-0'));
bare.get('/list', (_, reply) => reply.type('application/json').send(sent));
const app = fastify();
await app.register(discoveryServer, { registry: small });
await Promise.all([bare.ready(), app.ready()]);
const payload = registration(7);
const revision = small.revisionOf('service-0');

function injected(name: string, on: typeof app, request: InjectOptions | string) {
  return {
    name,
    async run(iterations: number) {
      for (let at = 0; at < iterations; at++) sink = await on.inject(request);
    },
  };
}

await contest(
  'POST /heartbeat',
  [
    injected('fastify, a small answer', bare, { method: 'POST', url: '/beat', payload }),
    injected('POST /heartbeat', app, { method: 'POST', url: '/heartbeat', payload }),
  ],
  [{ of: 'POST /heartbeat', against: 'fastify, a small answer', atMost: 2 }],
);
await contest(
  'GET /services/:name of 64 instances',
  [
    injected('fastify, a small answer', bare, '/one'),
    injected('fastify, the same text ready to send', bare, '/list'),
    injected('GET /services/:name', app, '/services/service-0'),
    injected('... not changed (304)', app, {
      url: '/services/service-0',
      headers: { 'if-none-match': `W/"${String(revision)}"` },
    }),
  ],
  [{ of: '... not changed (304)', against: 'fastify, a small answer', atMost: 1.5 }],
);

const hub = new WatchHub(small);
let written = 0;
for (let at = 0; at < 1000; at++) {
  hub.open({
    writableLength: 0,
    write: (text) => (written += text.length),
    end: () => undefined,
    destroy: () => undefined,
  });
}
const quiet = filled(64);
let weight = 1;
await contest('one change (the network not counted)', [
  each('no watcher', 1, () => quiet.register({ ...registration(0), weight: (weight = 3 - weight) })),
  each('1000 watchers', 1, () => small.register({ ...registration(0), weight: (weight = 3 - weight) })),
]);
hub.close();
small.close();
quiet.close();
large.close();
await Promise.all([bare.close(), app.close()]);
if (sink === undefined || written === 0) throw new Error('nothing was measured');
