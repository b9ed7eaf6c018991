import { once } from 'node:events';
import { get } from 'node:http';
import type { ClientRequest, IncomingMessage } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { promisify } from 'node:util';
import { afterEach, expect, test } from '@jest/globals';
import Fastify from 'fastify';
import type { FastifyInstance, FastifyServerOptions } from 'fastify';
import { discoveryServer } from './discovery-server.ts';
import { Registry } from './registry.ts';
import { Replica } from './testing/replica.ts';
import { WatchHub } from './watch-hub.ts';
import type { WatchHubOptions } from './watch-hub.ts';

let app: FastifyInstance;

async function setUp(
  options: WatchHubOptions = {},
  prepare?: (app: FastifyInstance) => void,
  server: FastifyServerOptions = {},
) {
  const registry = new Registry();
  const watchHub = new WatchHub(registry, options);
  app = Fastify(server);
  prepare?.(app);
  await app.register(discoveryServer, { registry, watchHub });
  await app.listen({ port: 0, host: '127.0.0.1' });
  const open = (path = '/watch', headers: Record<string, string> = {}) =>
    get({ ...address(), path, headers, agent: false });
  return { registry, watchHub, open };
}

afterEach(async () => {
  await app.close();
});

function address() {
  return { host: '127.0.0.1', port: (app.server.address() as AddressInfo).port };
}

async function responseOf(request: ClientRequest): Promise<IncomingMessage> {
  const [response] = (await once(request, 'response')) as [IncomingMessage];
  return response.setEncoding('utf8');
}

/** A client that applies what comes, and a way to wait for it. */
async function follow(request: ClientRequest) {
  const response = await responseOf(request);
  const replica = new Replica();
  response.on('data', (text: string) => {
    replica.read(text);
  });
  response.on('error', () => undefined);
  const until = async (isReached: () => boolean): Promise<void> => {
    while (!isReached()) await once(response, 'data');
  };
  return { response, replica, until };
}

async function eventually(isReached: () => boolean): Promise<void> {
  while (!isReached()) await new Promise((resolve) => setImmediate(resolve));
}

const users = { name: 'user-service', host: '127.0.0.1', port: 4000 };

test('streams a snapshot and every change over a real socket', async () => {
  const { registry, open } = await setUp();
  registry.register(users);
  const { response, replica, until } = await follow(open('/watch', { connection: 'keep-alive' }));
  expect(response.statusCode).toBe(200);
  expect(response.headers).toMatchObject({
    'content-type': 'text/event-stream',
    'cache-control': 'no-store',
    connection: 'close',
  });
  await until(() => replica.events.length === 1);
  registry.register({ ...users, port: 4001 });
  registry.deregister(users);
  await until(() => replica.events.length === 3);
  expect(replica.events.map(({ event }) => event)).toEqual(['snapshot', 'upsert', 'remove']);
  expect(replica.list).toEqual([['user-service', '127.0.0.1:4001', 4001, 1]]);
});

test('resumes by Last-Event-ID', async () => {
  const { registry, open } = await setUp();
  registry.register(users);
  const first = await follow(open());
  await first.until(() => first.replica.events.length === 1);
  first.response.destroy();
  registry.register({ ...users, port: 4001 });
  const second = await follow(
    open('/watch?services=user-service', { 'last-event-id': first.replica.lastEventId ?? '' }),
  );
  await second.until(() => second.replica.events.length === 2);
  expect(second.replica.events.map(({ event }) => event)).toEqual(['upsert', 'bookmark']);
});

test('keeps the headers that hooks of the app have set', async () => {
  const { open } = await setUp({}, (self) => {
    self.addHook('onRequest', (_, reply, done) => {
      reply.header('access-control-allow-origin', 'http://dashboard.example');
      done();
    });
  });
  const response = await responseOf(open());
  expect(response.headers['access-control-allow-origin']).toBe('http://dashboard.example');
});

test('one watcher too many gets a problem, not silence', async () => {
  const { open, watchHub } = await setUp({ maximumWatchers: 1 });
  const { response } = await follow(open());
  const refused = await responseOf(open());
  expect(refused.statusCode).toBe(503);
  expect(refused.headers).toMatchObject({
    'content-type': expect.stringMatching(/^application\/problem\+json/),
    'retry-after': '5',
  });
  refused.resume();
  response.destroy();
  await eventually(() => watchHub.size === 0);
  expect((await responseOf(open())).statusCode).toBe(200);
});

test('a reader that does not read is cut off, comes back and misses nothing', async () => {
  const { registry, open, watchHub } = await setUp();
  const reader = await follow(open());
  await reader.until(() => reader.replica.events.length === 1);
  reader.response.pause();
  const metadata = Object.fromEntries(Array.from({ length: 60 }, (_, n) => [`key${n}`, 'x'.repeat(1000)]));
  // 60 KB each: the buffers of the kernel are full long before the last one.
  let changes = 0;
  for (; watchHub.size > 0 && changes < 2000; changes++) {
    registry.register({ ...users, metadata, weight: changes + 1 });
    if (changes % 4 === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  expect(watchHub.size).toBe(0);
  reader.response.resume();
  await new Promise((resolve) => reader.response.once('close', resolve));
  const seen = reader.replica.events.length - 1;
  expect(seen).toBeLessThan(changes);
  const again = await follow(open('/watch', { 'last-event-id': reader.replica.lastEventId ?? '' }));
  await again.until(() => again.replica.lastEventId === registry.revision);
  expect(again.replica.events[0]?.event).toBe('upsert');
  expect(again.replica.list).toEqual([['user-service', '127.0.0.1:4000', 4000, changes]]);
  // Generous for machines that do much else meanwhile.
}, 30_000);

test('closing the app ends the streams, at once and for good', async () => {
  const { registry, open, watchHub } = await setUp();
  registry.register(users);
  const clients = await Promise.all([follow(open()), follow(open('/watch?services=user-service'))]);
  const ended = Promise.all(clients.map(({ response }) => once(response, 'end')));
  await app.close();
  await ended;
  expect(watchHub.size).toBe(0);
  for (const { replica } of clients) expect(replica.list).toHaveLength(1);
});

test('closing the app does not wait for a reader that does not read', async () => {
  // Also where Fastify cuts no connection off by itself.
  const { registry, open, watchHub } = await setUp({}, undefined, { forceCloseConnections: false });
  const connected = once(app.server, 'connection');
  const reader = await follow(open());
  const [socket] = (await connected) as [Socket];
  reader.response.pause();
  const metadata = Object.fromEntries(Array.from({ length: 60 }, (_, n) => [`key${n}`, 'x'.repeat(1000)]));
  // More than the kernel takes, less than what the hub allows.
  for (let weight = 1; socket.writableLength < 100_000 && watchHub.size > 0; weight++) {
    registry.register({ ...users, metadata, weight });
    await new Promise((resolve) => setImmediate(resolve));
  }
  expect(watchHub.size).toBe(1);
  await app.close();
  expect(socket.destroyed).toBe(true);
}, 30_000);

test('two hundred watchers that come and go leave nothing behind', async () => {
  const { registry, open, watchHub } = await setUp();
  let subscriptions = 0;
  const subscribe = registry.subscribe.bind(registry);
  registry.subscribe = (listener) => {
    const end = subscribe(listener);
    subscriptions += 1;
    return () => {
      subscriptions -= 1;
      end();
    };
  };
  for (let batch = 0; batch < 10; batch++) {
    const clients = Array.from({ length: 20 }, (_, n) =>
      open(n % 2 === 0 ? '/watch' : '/watch?services=a,b'),
    );
    const responses = await Promise.all(clients.map(responseOf));
    expect(watchHub.size).toBe(20);
    for (const response of responses) response.on('error', () => undefined).destroy();
    await eventually(() => watchHub.size === 0);
  }
  expect(subscriptions).toBe(0);
  const count = promisify(app.server.getConnections.bind(app.server));
  while ((await count()) > 0) await new Promise((resolve) => setImmediate(resolve));
});

test('a client that is gone before its stream begins leaves nothing behind', async () => {
  const { open, watchHub } = await setUp({}, (self) => {
    self.addHook('onRequest', async (request, reply) => {
      if (request.url.startsWith('/watch')) await once(reply.raw, 'close');
    });
  });
  let reached = 0;
  const reserve = watchHub.reserve.bind(watchHub);
  watchHub.reserve = () => {
    reached += 1;
    reserve();
  };
  const arrived = once(app.server, 'request');
  const request = open().on('error', () => undefined);
  await arrived;
  request.destroy();
  await eventually(() => reached > 0);
  expect(watchHub.size).toBe(0);
  expect((await responseOf(get({ ...address(), path: '/health', agent: false }))).resume().statusCode).toBe(
    200,
  );
});
