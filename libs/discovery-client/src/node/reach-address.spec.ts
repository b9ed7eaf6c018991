import { expect, test } from '@jest/globals';
import { once } from 'node:events';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { DiscoveryClient } from '../discovery-client.ts';
import { json } from '../testing/fake-registry.ts';
import { createDiscoveryClient } from './create-discovery-client.ts';
import { reachAddress } from './reach-address.ts';

async function listener() {
  const server = createServer((socket) => socket.destroy()).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const close = async (): Promise<void> => {
    server.close();
    await once(server, 'close');
  };
  return { port, close };
}

test('somebody listens, nobody does, or that cannot be told', async () => {
  const { port, close } = await listener();
  expect(await reachAddress('127.0.0.1', port)).toBe('answered');
  await close();
  expect(await reachAddress('127.0.0.1', port)).toBe('refused');
  expect(await reachAddress('nobody.invalid', port)).toBe('silent');
});

test('createDiscoveryClient looks by itself: of a list that became empty only the living are kept', async () => {
  const [living, dying] = [await listener(), await listener()];
  const agentOf = (ports: readonly number[]) => (input: string | URL | Request) => {
    const path = new URL(input as string).pathname;
    if (!path.startsWith('/v1/health')) return Promise.resolve(json(404, {}));
    const services = ports.map((port) => ({
      Service: { ID: `users-${port}`, Address: '127.0.0.1', Port: port },
    }));
    return Promise.resolve(json(200, services, { 'x-consul-index': '0' }));
  };
  let ports = [living.port, dying.port];
  const options = {
    serverUrl: 'consul://agent',
    watch: false,
    cacheMultiplier: 0.1,
    fetch: ((input) => agentOf(ports)(input)) as typeof fetch,
    clock: { now: () => nowMs },
  };
  let nowMs = 0;
  const [client, core] = [createDiscoveryClient(options), new DiscoveryClient(options)];
  for (const one of [client, core]) expect((await one.resolve('users')).instances).toHaveLength(2);
  ports = [];
  await dying.close();
  nowMs = 10_000;
  const seen = (one: DiscoveryClient) => one.peek('users')?.instances.map(({ port }) => port);
  while (seen(client)?.length !== 1) await new Promise((resolve) => setTimeout(resolve, 2));
  expect(seen(client)).toEqual([living.port]);
  // The core has no sockets: it holds both.
  expect(seen(core)?.sort()).toEqual([living.port, dying.port].sort());
  await Promise.all([client.close(), core.close(), living.close()]);
});
