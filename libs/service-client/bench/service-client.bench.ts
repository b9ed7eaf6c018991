import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Agent, request } from 'undici';
import { contest } from '../../../tools/contest.mts';
import { createServiceClient } from '../src/index.ts';

async function listen(): Promise<Server> {
  const server = createServer((_, response) => {
    response.setHeader('content-type', 'application/json');
    response.end('{"users":[]}');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return server;
}

const portOf = (server: Server): number => (server.address() as AddressInfo).port;

const servers = [await listen(), await listen(), await listen()];
const instances = servers.map((server, i) => ({ id: `user-${i}`, host: '127.0.0.1', port: portOf(server) }));
const discovery = { peek: () => ({ instances }), resolve: () => Promise.resolve({ instances }) };
const client = createServiceClient({ discovery });
const agent = new Agent();
const [first] = instances;

const bare = async (): Promise<void> => {
  const { body } = await request(`http://127.0.0.1:${first?.port ?? 0}/users`, { dispatcher: agent });
  await body.text();
};
const dispatched = async (): Promise<void> => {
  const { body } = await request('http://user-service/users', { dispatcher: client.dispatcher });
  await body.text();
};
const requested = async (): Promise<void> => {
  await (await client.request({ service: 'user-service', path: '/users' })).text();
};

const sequential = (call: () => Promise<void>) => async (iterations: number) => {
  for (let i = 0; i < iterations; i++) await call();
};
const concurrent = (call: () => Promise<void>) => async (iterations: number) => {
  for (let i = 0; i < iterations; i += 50) await Promise.all(Array.from({ length: 50 }, call));
};

const options = { rounds: 15, batchMs: 60 };
await contest(
  'one call after the other, three instances on the loopback, server in the same process',
  [
    { name: 'undici.request', run: sequential(bare) },
    { name: 'undici.request through the dispatcher', run: sequential(dispatched) },
    { name: 'client.request', run: sequential(requested) },
  ],
  [
    { of: 'undici.request through the dispatcher', against: 'undici.request', atMost: 1.6 },
    { of: 'client.request', against: 'undici.request', atMost: 1.6 },
  ],
  options,
);
await contest(
  '50 calls at a time',
  [
    { name: 'undici.request', run: concurrent(bare) },
    { name: 'undici.request through the dispatcher', run: concurrent(dispatched) },
    { name: 'client.request', run: concurrent(requested) },
  ],
  [{ of: 'undici.request through the dispatcher', against: 'undici.request', atMost: 1.6 }],
  options,
);

/** CPU time of one call, which a busy machine hardly changes: median of rounds. */
async function cpuMicroseconds(call: () => Promise<void>, rounds = 9, calls = 1500): Promise<number> {
  const samples: number[] = [];
  for (let round = 0; round < rounds; round++) {
    globalThis.gc?.();
    const start = process.cpuUsage();
    for (let i = 0; i < calls; i++) await call();
    const { user, system } = process.cpuUsage(start);
    samples.push((user + system) / calls);
  }
  return samples.sort((a, b) => a - b)[Math.floor(rounds / 2)] ?? NaN;
}

console.log('\nCPU time of one call, server included');
for (const [name, call] of Object.entries({ 'undici.request': bare, 'client.request': requested })) {
  console.log(`  ${name.padEnd(44)} ${(await cpuMicroseconds(call)).toFixed(1).padStart(10)} µs`);
}

await client.close();
await agent.close();
for (const server of servers) server.close();
