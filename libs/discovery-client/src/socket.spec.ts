/// <reference types="node" />
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { DiscoveryClient } from './discovery-client.ts';
import type { DiscoveryClientOptions } from './discovery-client-options.ts';
import { instanceOf } from './testing/fake-registry.ts';
import { RegistrySocket, until } from './testing/registry-socket.ts';

let socket: RegistrySocket;
let clients: DiscoveryClient[];

beforeEach(async () => {
  clients = [];
  socket = await new RegistrySocket().listen();
});

afterEach(async () => {
  await Promise.all(clients.map((client) => client.close()));
  await socket.kill();
});

function connect(options: DiscoveryClientOptions = {}): DiscoveryClient {
  const client = new DiscoveryClient({ serverUrl: socket.url, ...options });
  clients.push(client);
  return client;
}

function ports(client: DiscoveryClient): number[] | undefined {
  return client.peek('users')?.instances.map(({ port }) => port);
}

test('registers, beats, is found by another, and is gone after close', async () => {
  const { registry } = socket;
  const service = connect();
  const caller = connect();
  await service.register({ name: 'users', port: 4000, heartbeatInterval: 0.05 });
  expect((await caller.resolve('users')).instances).toMatchObject([{ host: '127.0.0.1', port: 4000 }]);
  await until(() => registry.calls('POST /heartbeat').length >= 2);
  expect(registry.requests[0]?.headers.get('content-type')).toBe('application/json');
  await until(() => registry.watchers.size === 2);
  await service.close();
  expect(registry.list('users')).toEqual([]);
  await until(() => ports(caller)?.length === 0);
  await caller.close();
  await until(() => registry.watchers.size === 0);
});

test('changes arrive over the wire', async () => {
  const client = connect();
  socket.registry.upsert(instanceOf('users', 4000));
  await client.resolve('users');
  await until(() => socket.registry.watchers.size === 1);
  socket.registry.upsert(instanceOf('users', 4001));
  await until(() => ports(client)?.length === 2);
  socket.registry.remove('users', '127.0.0.1:4000');
  await until(() => ports(client)?.length === 1);
});

test('a registry that is killed and comes back empty never takes the living instances away', async () => {
  const service = connect();
  const caller = connect();
  await service.register({ name: 'users', port: 4000 });
  await caller.resolve('users');
  await until(() => socket.registry.watchers.size === 2);
  const seen: unknown[] = [];
  const load = setInterval(() => seen.push(ports(caller)), 1);
  await socket.kill();
  socket.registry.restart();
  await until(() => caller.status === 'disconnected');
  await socket.listen();
  await until(() => socket.registry.list('users').length === 1 && socket.registry.watchers.size === 2);
  clearInterval(load);
  expect(seen.length).toBeGreaterThan(10);
  expect(seen.filter((found) => JSON.stringify(found) !== '[4000]')).toEqual([]);
});

test('the first resolve fails with a cause while nobody listens', async () => {
  await socket.kill();
  const error: unknown = await connect()
    .resolve('users')
    .catch((thrown: unknown) => thrown);
  expect(error).toMatchObject({
    code: 'ERR_DISCOVERY_UNAVAILABLE',
    cause: { code: 'ERR_DISCOVERY_UNAVAILABLE' },
  });
});

test('a client that is not closed does not keep its process alive, although its watch and its session are open', async () => {
  socket.registry.offersSessions = true;
  const program = `
    const { DiscoveryClient } = await import(${JSON.stringify(import.meta.url.replace('socket.spec.ts', 'index.ts'))});
    const open = new Promise((resolve) => {
      const seen = new Set();
      globalThis.client = new DiscoveryClient({
        serverUrl: '${socket.url}',
        onEvent: ({ type }) => seen.add(type).has('watching') && seen.has('session-open') && resolve(),
      });
    });
    await client.register({ name: 'users', port: 4000 });
    console.log(String((await client.resolve("users")).instances.length));
    const wait = setTimeout(() => undefined, 5000);
    await open;
    clearTimeout(wait);`;
  const { stdout, stderr } = await promisify(execFile)(process.execPath, [
    '--input-type=module',
    '-e',
    program,
  ]);
  expect({ stdout, stderr }).toEqual({ stdout: '1\n', stderr: '' });
});
