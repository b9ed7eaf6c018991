import { randomUUID } from 'node:crypto';
import { connect, createServer } from 'node:net';
import type { AddressInfo, Server, Socket } from 'node:net';
import { afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { createClient } from '@redis/client';
import { RedisStore } from './redis-store.ts';
import type { RedisStoreOptions } from './redis-store.ts';
import { Registry } from './registry.ts';
import { readMessage } from './store-message.ts';

const url = 'redis://127.0.0.1:6379';
const users = { name: 'user-service', host: '127.0.0.1', port: 4000 };
const closers: (() => unknown)[] = [];
let prefix: string;
let hasRedis = false;

beforeAll(async () => {
  hasRedis = await new Promise((resolve) => {
    const socket = connect(6379, '127.0.0.1', () => {
      resolve(true);
      socket.destroy();
    });
    socket.on('error', () => {
      resolve(false);
    });
  });
});

afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
  if (!hasRedis || prefix === '') return;
  const client = await createClient({ url }).connect();
  await client.del([`${prefix}instances`, `${prefix}overrides`]);
  await client.close();
});

/** Says aloud when there is nothing to test against. */
function withRedis(name: string, run: () => Promise<void>): void {
  test(
    name,
    async () => {
      prefix = hasRedis ? `test:${randomUUID()}:` : '';
      if (hasRedis) await run();
      else process.stderr.write(`NOT TESTED, no Redis at ${url}: ${name}\n`);
    },
    30_000,
  );
}

async function startServer(options: RedisStoreOptions & { url?: string } = {}) {
  const registry = new Registry();
  const troubles: boolean[] = [];
  const store = new RedisStore(options.url ?? url, {
    prefix,
    beatIntervalMs: 20,
    onTrouble: (error) => troubles.push(error === undefined),
    ...options,
  });
  await store.attach(registry);
  const stop = async () => {
    await store.close();
    registry.close();
  };
  closers.push(stop);
  const ports = () => registry.peek('user-service')?.instances.map(({ port }) => port) ?? [];
  return { registry, store, stop, ports, troubles };
}

async function until(isReached: () => boolean): Promise<void> {
  while (!isReached()) await new Promise((resolve) => setTimeout(resolve, 5));
}

/** A Redis that can be cut off, and let back. */
async function cable() {
  const open = new Set<Socket>();
  let isCut = false;
  const server: Server = createServer((socket) => {
    if (isCut) {
      socket.destroy();
      return;
    }
    const redis = connect(6379, '127.0.0.1');
    for (const end of [socket, redis]) {
      open.add(end);
      end.on('error', () => undefined).on('close', () => (socket.destroy(), redis.destroy()));
    }
    socket.pipe(redis).pipe(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const cut = () => {
    isCut = true;
    for (const socket of open) socket.destroy();
  };
  closers.push(() => {
    cut();
    server.close();
  });
  return {
    url: `redis://127.0.0.1:${(server.address() as AddressInfo).port}`,
    cut,
    mend: () => (isCut = false),
  };
}

describe('servers on one Redis', () => {
  withRedis('see each other’s registrations, removals and decisions', async () => {
    const [a, b] = [await startServer(), await startServer()];
    a.registry.register({ ...users, incarnation: 'first', metadata: { zone: 'x' } });
    b.registry.register({ ...users, port: 4001 });
    await until(() => a.ports().length === 2 && b.ports().length === 2);
    const first = b.registry.find('user-service')?.instances.find(({ port }) => port === 4000);
    expect(first).toMatchObject({ incarnation: 'first', metadata: { zone: 'x' } });
    b.registry.override('user-service', '127.0.0.1:4000', { status: 'maintenance' });
    await until(() => a.ports().length === 1);
    a.registry.deregister({ ...users, port: 4001 });
    await until(() => b.ports().length === 0);
    b.registry.override('user-service', '127.0.0.1:4000', { status: null });
    await until(() => a.ports().length === 1);
  });

  withRedis('any of them dies, and nothing is lost: its instances beat at another one', async () => {
    const a = await startServer();
    a.registry.register({ ...users, heartbeatInterval: 1 });
    a.registry.override('order-service', 'x', { weight: 2 });
    const b = await startServer();
    expect(b.ports()).toEqual([4000]);
    expect(b.registry.overrides()).toEqual([{ service: 'order-service', id: 'x', weight: 2 }]);
    await a.stop();
    expect(b.registry.heartbeat(users).lease.durationMs).toBe(1500);
    const c = await startServer();
    expect(c.ports()).toEqual([4000]);
  });

  withRedis('a heartbeat at one of them counts at all of them', async () => {
    const [a, b] = [await startServer(), await startServer()];
    a.registry.register({ ...users, heartbeatInterval: 0.4 });
    await until(() => b.ports().length === 1);
    for (let beat = 0; beat < 16; beat++) {
      a.registry.heartbeat(users);
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
    // Longer than a lease and the grace of the other server.
    expect(b.ports()).toEqual([4000]);
    await until(() => a.ports().length === 0);
    await until(() => b.ports().length === 0);
  });

  withRedis('the process that was replaced at one of them is refused at all', async () => {
    const [a, b] = [await startServer(), await startServer()];
    a.registry.register({ ...users, incarnation: 'first' });
    await until(() => b.ports().length === 1);
    b.registry.register({ ...users, incarnation: 'second' });
    await until(() => a.registry.peek('user-service')?.instances[0]?.incarnation === 'second');
    expect(() => a.registry.heartbeat({ ...users, incarnation: 'first' })).toThrow('another process');
  });

  withRedis('whoever writes last wins everywhere, however they race', async () => {
    const servers = [await startServer(), await startServer(), await startServer()];
    for (let round = 0; round < 30; round++) {
      for (const [n, { registry }] of servers.entries())
        registry.register({ ...users, weight: 1 + round * 3 + n });
      if (round % 3 === 0) await new Promise((resolve) => setTimeout(resolve, 3));
    }
    const weights = () => servers.map(({ registry }) => registry.peek('user-service')?.instances[0]?.weight);
    await until(() => new Set(weights()).size === 1);
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(new Set(weights()).size).toBe(1);
    const late = await startServer();
    expect(late.registry.peek('user-service')?.instances[0]?.weight).toBe(weights()[0]);
  });
});

describe('without Redis', () => {
  withRedis('a server goes on, removes nobody that others hear, and catches up', async () => {
    const line = await cable();
    const [a, b] = [await startServer(), await startServer({ url: line.url })];
    const beating = setInterval(() => {
      if (a.registry.size > 0) a.registry.heartbeat(users);
    }, 50);
    closers.push(() => {
      clearInterval(beating);
    });
    a.registry.register({ ...users, heartbeatInterval: 0.2 });
    b.registry.register({ ...users, port: 4001 });
    await until(() => a.ports().length === 2 && b.ports().length === 2);
    line.cut();
    await until(() => !b.store.isConnected);
    a.registry.register({ ...users, port: 4002 });
    b.registry.register({ ...users, port: 4003 });
    // Longer than the lease at a and the grace of b.
    await new Promise((resolve) => setTimeout(resolve, 2500));
    expect(b.ports().sort()).toEqual([4000, 4001, 4003]);
    line.mend();
    await until(() => b.ports().length === 4 && a.ports().length === 4);
    expect(b.troubles).toEqual([false, true]);
  });

  test('at its start: it starts after a moment, and serves', async () => {
    prefix = '';
    const server = await startServer({ url: 'redis://127.0.0.1:1', connectTimeoutMs: 50 });
    server.registry.register(users);
    expect(server.ports()).toEqual([4000]);
    expect(server.store.isConnected).toBe(false);
    expect(server.troubles).toEqual([false]);
  });
});

test.each([
  '',
  'null',
  '[]',
  '{"type":"put"}',
  '{"type":"put","stored":{"instance":{"name":"a"}}}',
  '{"type":"remove","service":"a"}',
  '{"type":"override","override":{}}',
  '{"type":"beats","beats":[["a"],7]}',
  '{"type":"beats"}',
  '{"type":"other"}',
])('what is no message is not read: %s', (text) => {
  expect(readMessage(text)).toBeUndefined();
});

test.each([
  [{ beatIntervalMs: 1 }, 'redisStore: beatIntervalMs must be an integer from 10 to 1500, got 1'],
  [{ connectTimeoutMs: -1 }, 'redisStore: connectTimeoutMs must be an integer from 0 to 600000, got -1'],
])('%j is a RangeError', (options, message) => {
  expect(() => new RedisStore(url, options)).toThrow(new RangeError(message));
});
