/** What the gateway adds to a request: clients, gateway and instance share one process, so the time is the work of all three. */
import { createServiceClient } from '@mesh/service-client';
import { fastify, type FastifyInstance } from 'fastify';
import { Agent, createServer, request, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { contest } from '../../../tools/contest.mts';
import { meshMetrics, proxyRoutes, Upstream } from '../src/index.ts';

const users = JSON.stringify({
  users: Array.from({ length: 12 }, (_, id) => ({
    id,
    name: `user ${id}`,
    email: `u${id}@example.com`,
    age: 30,
  })),
});

const instance = createServer((_request, response) => {
  response.writeHead(200, { 'content-type': 'application/json', 'content-length': users.length });
  response.end(users);
});
await new Promise<void>((resolve) => instance.listen(0, '127.0.0.1', resolve));
const portOf = (server: Server): number => (server.address() as AddressInfo).port;
const resolution = { instances: [{ id: 'user-1', host: '127.0.0.1', port: portOf(instance) }] };
const discovery = { peek: () => resolution, resolve: () => Promise.resolve(resolution) };
const client = createServiceClient({ discovery });

async function listening(app: FastifyInstance): Promise<FastifyInstance> {
  await app.listen({ port: 0, host: '127.0.0.1' });
  return app;
}

const proxied = fastify();
await proxied.register(proxyRoutes, { client, dynamicPrefix: '/api' });
await listening(proxied);

/** What one writes without a proxy: fetch, and send what came. */
const handWritten = fastify();
handWritten.get('/api/user-service/*', async (incoming, reply) => {
  const answer = await client.fetch(`http://user-service${incoming.url.slice('/api/user-service'.length)}`);
  return reply
    .code(answer.status)
    .type(answer.headers.get('content-type') ?? '')
    .send(answer.body);
});
await listening(handWritten);

const agent = new Agent({ keepAlive: true });
const get = (port: number, path: string): Promise<void> =>
  new Promise((resolve, reject) => {
    request({ port, path, agent, host: '127.0.0.1' }, (response) => {
      response.resume().once('end', resolve);
    })
      .once('error', reject)
      .end();
  });

const batch = 3_200;

async function batchOf(port: number, path: string): Promise<number> {
  const before = process.cpuUsage();
  for (let done = 0; done < batch; done += 32) {
    await Promise.all(Array.from({ length: 32 }, () => get(port, path)));
  }
  const { user, system } = process.cpuUsage(before);
  return (user + system) / batch;
}

/** CPU time, not wall time: sockets make a request wait for whatever else the machine does. */
const ways = [
  { name: 'the instance itself', port: portOf(instance), path: '/users', us: [] as number[] },
  {
    name: 'through proxyRoutes',
    port: portOf(proxied.server),
    path: '/api/user-service/users',
    us: [] as number[],
  },
  {
    name: 'through a route with fetch',
    port: portOf(handWritten.server),
    path: '/api/user-service/users',
    us: [] as number[],
  },
];
for (let round = 0; round < 13; round++) {
  for (const way of round % 2 ? ways.toReversed() : ways) {
    const us = await batchOf(way.port, way.path);
    if (round > 1) way.us.push(us);
  }
}
const [direct = NaN, proxy = NaN, byHand = NaN] = ways.map(
  ({ us }) => us.toSorted((a, b) => a - b)[us.length >> 1],
);
console.log(`\nGET of ${users.length} bytes, 32 connections: CPU of client, gateway and instance together`);
for (const [at, us] of [direct, proxy, byHand].entries()) {
  console.log(`  ${(ways[at]?.name ?? '').padEnd(44)} ${us.toFixed(1).padStart(10)} us`);
}
const ratio = (proxy - direct) / (byHand - direct);
const met = ratio <= 0.6;
console.log(
  `  ${met ? 'met   ' : 'MISSED'} what proxyRoutes adds / what fetch adds: ${ratio.toFixed(2)}x (goal <= 0.60x)`,
);
if (!met) process.exitCode = 1;

const live = new Upstream({ service: 'live' });
const open = new Upstream({
  service: 'open',
  circuitBreaker: { maximumFailuresAllowed: 1, resetTimeoutInMilliseconds: 1e9 },
});
const loaded = Promise.resolve({ data: [], instance: 'user-1' });
const load = () => loaded;
await open.read('all', load, []);
await open.read('all', () => Promise.reject(new Error('trouble')), []);

const sequential = (name: string, call: () => unknown) => ({
  name,
  async run(iterations: number) {
    for (let done = 0; done < iterations; done++) await call();
  },
});
await contest('Upstream.read', [
  sequential('the load alone', load),
  sequential('live', () => live.read('all', load, [])),
  sequential('last good answer, circuit open', () => open.read('all', load, [])),
]);
await contest('GET /metrics', [
  sequential('meshMetrics', () => meshMetrics(client.getSnapshot(), [live, open])),
]);

agent.destroy();
await Promise.all([proxied.close(), handWritten.close(), client.close()]);
instance.close();
