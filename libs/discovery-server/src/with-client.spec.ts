import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { DiscoveryClient } from '@mesh/discovery-client';
import type { DiscoveryClientOptions } from '@mesh/discovery-client';
import Fastify from 'fastify';
import type { FastifyInstance } from 'fastify';
import { discoveryServer } from './discovery-server.ts';
import { Registry } from './registry.ts';

let app: FastifyInstance;
let registry: Registry;
let clients: DiscoveryClient[];
let serverUrl: string;

beforeEach(async () => {
  registry = new Registry();
  clients = [];
  app = Fastify();
  await app.register(discoveryServer, { registry });
  serverUrl = await app.listen({ port: 0, host: '127.0.0.1' });
});

afterEach(async () => {
  await Promise.all(clients.map((client) => client.close()));
  await app.close();
  registry.close();
});

function connect(options: DiscoveryClientOptions = {}): DiscoveryClient {
  const client = new DiscoveryClient({ serverUrl, ...options });
  clients.push(client);
  return client;
}

async function until(isReached: () => boolean): Promise<void> {
  while (!isReached()) await new Promise((resolve) => setTimeout(resolve, 5));
}

test('the client of the house registers, is found, watched, and leaves', async () => {
  const [service, caller] = [connect(), connect()];
  const registration = await service.register({ name: 'user-service', port: 4000, metadata: { zone: 'a' } });
  // Opening a session is a sign of life, too.
  expect({ ...registry.find('user-service')?.instances[0], lastHeartbeat: expect.any(String) }).toEqual(
    registration.instance,
  );
  const before = await caller.resolve('user-service');
  expect(before.instances).toMatchObject([{ id: '127.0.0.1:4000', metadata: { zone: 'a' } }]);
  await service.register({ name: 'user-service', port: 4001 });
  await until(() => caller.peek('user-service')?.instances.length === 2);
  await registration.deregister();
  await until(() => caller.peek('user-service')?.instances.length === 1);
  await service.close();
  await until(() => caller.peek('user-service')?.instances.length === 0);
  expect(registry.size).toBe(0);
});

test('heartbeats renew the lease, and who is removed comes back', async () => {
  const service = connect();
  await service.register({ name: 'user-service', port: 4000, heartbeatInterval: 0.2 });
  const lastHeartbeat = () => registry.find('user-service')?.instances[0]?.lastHeartbeat;
  const first = lastHeartbeat();
  await until(() => lastHeartbeat() !== first);
  registry.deregister({ name: 'user-service', port: 4000 });
  await until(() => registry.size === 1);
});

test('the process that registered last holds the address, and no fight begins', async () => {
  const events: string[] = [];
  const former = connect({ onEvent: ({ type }) => events.push(type) });
  await former.register({ name: 'user-service', port: 4000, heartbeatInterval: 0.2 });
  const { instance } = await connect().register({ name: 'user-service', port: 4000 });
  await until(() => events.includes('superseded'));
  const { incarnation } = instance;
  expect(registry.find('user-service')?.instances).toMatchObject([{ incarnation }]);
});

test('the goodbye of a former process leaves its successor in its place', async () => {
  const former = await connect({ watch: false }).register({ name: 'user-service', port: 4000 });
  const { instance } = await connect({ watch: false }).register({ name: 'user-service', port: 4000 });
  await former.deregister();
  expect(registry.find('user-service')?.instances).toEqual([instance]);
});

test('a registration by hand on the address of a living process gives way to it', async () => {
  const events: string[] = [];
  const service = connect({ onEvent: ({ type }) => events.push(type) });
  await service.register({
    name: 'user-service',
    id: 'user-service-4000',
    port: 4000,
    heartbeatInterval: 0.2,
  });
  registry.register({ name: 'user-service', host: '127.0.0.1', port: 4000, heartbeatInterval: 30 });
  const ids = () => registry.find('user-service')?.instances.map(({ id }) => id);
  expect(ids()).toEqual(['127.0.0.1:4000']);
  await until(() => ids()?.[0] === 'user-service-4000');
  expect(ids()).toEqual(['user-service-4000']);
  expect(events).not.toContain('superseded');
});
