/// <reference types="node" />
import { afterEach, beforeEach, expect, jest, test } from '@jest/globals';
import { DiscoveryClient } from './discovery-client.ts';
import { instanceOf } from './testing/fake-registry.ts';
import { FaultProxy } from './testing/fault-proxy.ts';
import { RegistrySocket, until } from './testing/registry-socket.ts';
import type { Timers } from './timers.ts';

jest.setTimeout(20_000);

/** A clock that runs fifty times as fast, so that 25 s of silence are half a second. */
const hurried = 50;
/** More than a second of ours, so that a busy machine is no fault. */
const requestTimeout = 60_000;
const clock = { now: () => performance.now() * hurried };
const timers: Timers = {
  set: (callback, delayMs) => setTimeout(callback, delayMs / hurried).unref(),
  clear: (handle) => {
    clearTimeout(handle as NodeJS.Timeout);
  },
};

let socket: RegistrySocket;
let proxy: FaultProxy;
let serverUrl: string;
let client: DiscoveryClient;

beforeEach(async () => {
  socket = await new RegistrySocket().listen();
  proxy = new FaultProxy();
  serverUrl = await proxy.listen(Number(new URL(socket.url).port));
  socket.registry.offersSessions = true;
  for (const port of [4000, 4001]) socket.registry.upsert(instanceOf('users', port));
});

afterEach(async () => {
  await client.close();
  await proxy.close();
  await socket.kill();
});

async function watching(): Promise<void> {
  client = new DiscoveryClient({ serverUrl, clock, timers, requestTimeout });
  await client.resolve('users');
  await until(() => socket.registry.watchers.size === 1 && client.peek('users')?.ageMs === 0);
}

const size = (): number | undefined => client.peek('users')?.instances.length;

test('a slow road changes nothing but the time it takes', async () => {
  proxy.delayMs = 100;
  // In the client's own time the way there and back takes ten seconds.
  await watching();
  socket.registry.upsert(instanceOf('users', 4002));
  await until(() => size() === 3);
  await client.register({ name: 'users', port: 4003 });
  await until(() => size() === 4 && socket.registry.sessions.size === 1);
});

test('a firewall that swallows everything costs requestTimeout once; the list stays, and all is well when it opens', async () => {
  await watching();
  proxy.reset();
  proxy.mode = 'swallow';
  await until(() => client.status === 'disconnected');
  expect((await client.resolve('users')).instances).toHaveLength(2);
  expect(client.peek('users')?.ageMs).toBeGreaterThan(0);
  socket.registry.upsert(instanceOf('users', 4002));
  proxy.mode = 'pass';
  await until(() => size() === 3 && client.peek('users')?.ageMs === 0);
});

test('a half-open connection is found by its silence, and what was missed is made up for', async () => {
  await watching();
  proxy.halfOpen();
  socket.registry.upsert(instanceOf('users', 4002));
  socket.registry.remove('users', '127.0.0.1:4000');
  expect(size()).toBe(2);
  await until(() => client.peek('users')?.instances.some(({ port }) => port === 4002) === true);
  expect(client.peek('users')?.instances.map(({ port }) => port)).toEqual([4001, 4002]);
});

test('a storm of resets loses no change and doubles none', async () => {
  await watching();
  const revisions: number[] = [];
  const look = setInterval(() => {
    const [, revision] = (client.peek('users')?.revision ?? '').split(':');
    revisions.push(Number(revision));
  }, 1);
  for (let port = 4002; port < 4022; port++) {
    socket.registry.upsert(instanceOf('users', port));
    if (port % 2 === 0) proxy.reset();
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  await until(() => size() === 22);
  clearInterval(look);
  expect(revisions).toEqual([...revisions].sort((a, b) => a - b));
});

test('a session that is reset is opened again; the registration stays', async () => {
  await watching();
  const registration = await client.register({ name: 'users', port: 4009, heartbeatInterval: 60 });
  await until(() => socket.registry.sessions.size === 1);
  proxy.reset();
  await until(
    () => socket.registry.sessions.size === 1 && socket.registry.calls('POST /session').length >= 2,
  );
  expect(socket.registry.calls('POST /register')).toHaveLength(1);
  await registration.deregister();
});

test('refused connections are tried with back-off, not in a loop', async () => {
  await watching();
  proxy.mode = 'refuse';
  proxy.reset();
  const before = proxy.open;
  await until(() => client.status === 'disconnected');
  await new Promise((resolve) => setTimeout(resolve, 400));
  expect(before + proxy.open).toBeLessThan(20);
  proxy.mode = 'pass';
  await until(() => client.peek('users')?.ageMs === 0);
});

test('a snapshot on a slow line arrives whole, while other calls go on', async () => {
  for (let port = 5000; port < 5400; port++) socket.registry.upsert(instanceOf('orders', port));
  proxy.bytesPerSecond = 400_000;
  await watching();
  await client.resolve('orders');
  await until(() => client.peek('orders')?.instances.length === 400 && client.peek('orders')?.ageMs === 0);
  expect(size()).toBe(2);
});

test('three hundred clients that come, watch and go leave no connection behind', async () => {
  for (let turn = 0; turn < 300; turn++) {
    client = new DiscoveryClient({ serverUrl, clock, timers, requestTimeout });
    await client.resolve('users');
    await until(() => socket.registry.watchers.size === 1);
    await client.close();
    if (turn % 50 === 49) await until(() => socket.registry.watchers.size === 0);
  }
  await until(() => socket.registry.watchers.size === 0 && proxy.open <= 4);
});
