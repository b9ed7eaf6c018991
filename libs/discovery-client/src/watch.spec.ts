import { afterEach, expect, test } from '@jest/globals';
import type { Fixture } from './testing/client-fixture.ts';
import { fixture } from './testing/client-fixture.ts';
import type { DiscoveryClientOptions } from './discovery-client-options.ts';
import { instanceOf, json } from './testing/fake-registry.ts';
import { settle } from './testing/settle.ts';

afterEach(settle);

/** A client whose watch covers `users`, of which 4000 and 4001 live. */
async function watching(options?: DiscoveryClientOptions): Promise<Fixture> {
  const all = fixture(options);
  all.registry.upsert(instanceOf('users', 4000));
  all.registry.upsert(instanceOf('users', 4001));
  await all.client.resolve('users');
  await all.time.advance(20);
  return all;
}

function ports({ client }: Fixture, name = 'users'): number[] | undefined {
  return client.peek(name)?.instances.map(({ port }) => port);
}

/** Time passes while the registry shows signs of life. */
async function pass({ time, registry }: Fixture, ms: number): Promise<void> {
  for (let left = ms; left > 0; left -= 10_000) {
    registry.bookmark();
    await time.advance(Math.min(left, 10_000));
  }
}

test('the watch applies upserts and removals as they come', async () => {
  const all = await watching();
  const { registry, of } = all;
  expect(registry.calls('GET /watch').map(({ path }) => path)).toEqual(['/watch?services=users']);
  registry.upsert(instanceOf('users', 4002));
  await settle();
  expect(ports(all)).toEqual([4000, 4001, 4002]);
  registry.remove('users', '127.0.0.1:4000', 'expired');
  await settle();
  expect(ports(all)).toEqual([4001, 4002]);
  expect(all.client.peek('users')?.revision).toBe('e1:4');
  expect(of('changed').map(({ instances }) => instances.length)).toEqual([2, 3, 2]);
  await all.client.close();
});

test('a live list is never old and is not fetched', async () => {
  const all = await watching();
  const { client, registry } = all;
  registry.bookmark();
  await settle();
  const before = client.peek('users');
  await pass(all, 3600_000);
  expect(client.peek('users')).toBe(before);
  expect(before).toMatchObject({ source: 'fresh' });
  expect(before?.ageMs).toBe(0);
  expect(client.cache()).toEqual([{ name: 'users', ttlMs: 60_000, instances: 2, source: 'fresh' }]);
  expect(registry.calls('GET /services')).toHaveLength(1);
  await client.close();
});

test('peeking a fresh list keeps answering the very same object', async () => {
  const { client, registry } = await watching();
  registry.bookmark();
  await settle();
  const answers = new Set(Array.from({ length: 1000 }, () => client.peek('users')));
  expect(answers.size).toBe(1);
  await client.close();
});

test('what an event repeats changes nothing', async () => {
  const all = await watching();
  const { instances } = all.client.peek('users') ?? {};
  all.registry.upsert(instanceOf('users', 4000, { lastHeartbeat: 'later', registeredAt: 'later' }));
  await settle();
  expect(all.client.peek('users')?.instances).toBe(instances);
  await all.client.close();
});

test('all names share one connection, which is opened again when a name joins, without a snapshot', async () => {
  const all = await watching();
  const { client, registry, time } = all;
  registry.upsert(instanceOf('orders', 5000));
  await time.advance(5000);
  await client.resolve('orders');
  registry.upsert(instanceOf('orders', 5001));
  registry.upsert(instanceOf('users', 4002));
  await time.advance(20);
  const watches = registry.calls('GET /watch');
  expect(watches.map(({ path }) => path)).toEqual(['/watch?services=users', '/watch?services=orders,users']);
  expect(watches[1]?.headers.get('last-event-id')).toBe('e1:3');
  expect(watches[0]?.signal.aborted).toBe(true);
  expect(registry.watchers.size).toBe(1);
  expect(ports(all)).toEqual([4000, 4001, 4002]);
  expect(ports(all, 'orders')).toEqual([5000, 5001]);
  await client.close();
});

test('many names that join together cost one new connection, and the next one waits a second', async () => {
  const all = await watching();
  const { client, registry, time } = all;
  const names = Array.from({ length: 30 }, (_, index) => `service-${index}`);
  for (const [index, name] of names.entries()) registry.upsert(instanceOf(name, 6000 + index));
  await Promise.all(names.slice(0, 20).map((name) => client.resolve(name)));
  await time.advance(1000);
  expect(registry.calls('GET /watch')).toHaveLength(2);
  await Promise.all(names.slice(20).map((name) => client.resolve(name)));
  await time.advance(979);
  expect(registry.calls('GET /watch')).toHaveLength(2);
  await time.advance(21);
  expect(registry.calls('GET /watch')).toHaveLength(3);
  await client.close();
});

test('a list of names too long for a URL is watched as everything', async () => {
  const all = fixture();
  const { client, registry, time } = all;
  for (let index = 0; index < 120; index += 1) {
    const name = `a-service-with-a-rather-long-name-${index}`;
    registry.upsert(instanceOf(name, 6000 + index));
    await client.resolve(name);
  }
  await time.advance(2000);
  expect(registry.calls('GET /watch').at(-1)?.path).toBe('/watch');
  registry.upsert(instanceOf('stranger', 9000));
  registry.upsert(instanceOf('a-service-with-a-rather-long-name-7', 9001));
  await settle();
  expect(ports(all, 'a-service-with-a-rather-long-name-7')).toEqual([6007, 9001]);
  await client.close();
});

test('names without an instance are not watched: strangers cannot make the client reconnect', async () => {
  const { client, registry, time } = await watching();
  for (let index = 0; index < 50; index += 1) await client.resolve(`nobody-${index}`);
  await time.advance(10_000);
  expect(registry.calls('GET /watch')).toHaveLength(1);
  await client.close();
});

test('a broken connection resumes after the last event, and its list ages meanwhile', async () => {
  const all = await watching();
  const { client, registry, time, of } = all;
  registry.upsert(instanceOf('users', 4002));
  registry.bookmark();
  await settle();
  registry.mode = 'down';
  registry.dropWatchers(new TypeError('terminated'));
  await time.advance(1500);
  expect(client.peek('users')).toMatchObject({ source: 'fresh', ageMs: 1500 });
  registry.remove('users', '127.0.0.1:4001');
  registry.mode = 'up';
  await time.advance(3000);
  expect(registry.calls('GET /watch').at(-1)?.headers.get('last-event-id')).toBe('e1:3');
  expect(ports(all)).toEqual([4000, 4002]);
  expect(client.peek('users')?.ageMs).toBe(0);
  expect(of('watch-lost').length).toBeGreaterThan(1);
  await client.close();
});

test('a position the registry no longer remembers is answered by a snapshot, which is believed', async () => {
  const all = await watching();
  const { client, registry, time } = all;
  registry.ringSize = 0;
  registry.dropWatchers();
  registry.remove('users', '127.0.0.1:4001');
  registry.upsert(instanceOf('users', 4003));
  await time.advance(500);
  expect(registry.calls('GET /watch').at(-1)?.headers.get('last-event-id')).toBe('e1:2');
  expect(ports(all)).toEqual([4000, 4003]);
  await client.close();
});

test('25 s without a byte are the end of a connection', async () => {
  const all = await watching();
  const { client, registry, time, of } = all;
  await time.advance(15_000);
  registry.send(': still here\n\n');
  await time.advance(24_999);
  expect(registry.calls('GET /watch')).toHaveLength(1);
  await time.advance(1 + 500);
  expect(of('watch-lost')).toMatchObject([{ error: { message: /silent for 25000 ms/ } }]);
  const watches = registry.calls('GET /watch');
  expect(watches).toHaveLength(2);
  expect(watches[0]?.signal.aborted).toBe(true);
  expect(registry.watchers.size).toBe(1);
  await client.close();
});

test('reconnects back off from 0.2 s to 10 s, and leave neither connections nor timers behind', async () => {
  const { client, registry, time, of } = await watching();
  registry.bookmark();
  await settle();
  registry.mode = 'down';
  registry.dropWatchers(new TypeError('terminated'));
  await time.advance(600_000);
  const pauses = of('watch-lost').map(({ retryInMs }) => retryInMs);
  expect(pauses.slice(0, 4)).toEqual([250, 200, 320, 512]);
  expect(Math.max(...pauses)).toBe(10_000);
  expect(time.pending).toBeLessThan(3);
  registry.mode = 'up';
  await time.advance(10_000);
  expect(registry.watchers.size).toBe(1);
  await client.close();
  expect(registry.watchers.size).toBe(0);
  expect(time.pending).toBe(0);
});

test('a thousand reconnects leave one connection and no timers behind', async () => {
  const { client, registry, time } = await watching();
  const pending = time.pending;
  for (let index = 0; index < 1000; index += 1) {
    registry.bookmark();
    await settle();
    registry.dropWatchers();
    await time.advance(250);
  }
  expect(registry.calls('GET /watch')).toHaveLength(1001);
  expect(registry.calls('GET /watch').filter(({ signal }) => !signal.aborted)).toHaveLength(1);
  expect(registry.watchers.size).toBe(1);
  expect(time.pending).toBe(pending);
  await client.close();
});

test('a connection that never gets its headers is given up after requestTimeout', async () => {
  const all = fixture({ requestTimeout: 800 });
  const { client, registry, time, of } = all;
  registry.upsert(instanceOf('users', 4000));
  await client.resolve('users');
  registry.mode = 'hang';
  await time.advance(20 + 800);
  expect(of('watch-lost')).toMatchObject([{ error: { message: /GET \/watch: no answer within 800 ms/ } }]);
  expect(client.status).toBe('disconnected');
  registry.mode = 'up';
  await client.close();
});

test('a registry that is busy is asked again when it said', async () => {
  const all = fixture();
  const { client, registry, time, of } = all;
  registry.upsert(instanceOf('users', 4000));
  registry.intercept = ({ path }) =>
    path.startsWith('/watch') ? json(503, { code: 'ERR_UNAVAILABLE' }, { 'retry-after': '4' }) : undefined;
  await client.resolve('users');
  await time.advance(20);
  expect(of('watch-lost')).toMatchObject([{ retryInMs: 4000 }]);
  expect(client.status).toBe('connected');
  await client.close();
});

test.each([404, 501])('a registry without a watch (%d) is asked by time to live', async (status) => {
  const all = fixture();
  const { client, registry, time, of } = all;
  registry.watchStatus = status;
  registry.upsert(instanceOf('users', 4000));
  await client.resolve('users');
  await time.advance(20);
  expect(of('watch-unsupported')).toHaveLength(1);
  registry.upsert(instanceOf('users', 4001));
  await time.advance(60_000);
  expect(client.peek('users')?.source).toBe('stale');
  await settle();
  expect(ports(all)).toEqual([4000, 4001]);
  expect(registry.calls('GET /watch')).toHaveLength(1);
  registry.watchStatus = undefined;
  await time.advance(240_000);
  expect(registry.watchers.size).toBe(1);
  await client.close();
});

test('a page of HTML is no watch either', async () => {
  const { client, registry, time, of } = fixture();
  registry.upsert(instanceOf('users', 4000));
  registry.intercept = ({ path }) => (path.startsWith('/watch') ? new Response('<p>hi</p>') : undefined);
  await client.resolve('users');
  await time.advance(20);
  expect(of('watch-unsupported')).toHaveLength(1);
  await client.close();
});

test('events of unknown kinds are skipped, known ones that cannot be read start over with a snapshot', async () => {
  const all = await watching();
  const { client, registry, time, of } = all;
  registry.send('event: weather\ndata: sunny\n\n');
  await settle();
  expect(of('watch-lost')).toEqual([]);
  registry.send('id: e1:3\nevent: upsert\ndata: {broken\n\n');
  await time.advance(500);
  expect(of('watch-lost')).toHaveLength(1);
  expect(registry.calls('GET /watch').at(-1)?.headers.has('last-event-id')).toBe(false);
  expect(ports(all)).toEqual([4000, 4001]);
  await client.close();
});

test('an event may come in any pieces', async () => {
  const all = await watching();
  const bytes = new TextEncoder().encode(
    `id: e1:3\r\nevent: upsert\r\ndata: ${JSON.stringify({ instance: instanceOf('users', 4002, { metadata: { city: 'Zürich' } }) })}\r\n\r\n`,
  );
  for (const byte of bytes) {
    for (const { stream } of all.registry.watchers) stream.enqueue(Uint8Array.of(byte));
  }
  await settle();
  expect(ports(all)).toEqual([4000, 4001, 4002]);
  expect(all.client.peek('users')?.instances[2]?.metadata).toEqual({ city: 'Zürich' });
  await all.client.close();
});

test('a slow answer to a fetch does not overwrite what the watch told meanwhile', async () => {
  const all = fixture();
  const { client, registry, time } = all;
  registry.upsert(instanceOf('users', 4000));
  await client.resolve('users');
  registry.mode = 'down';
  await time.advance(70_000);
  registry.mode = 'up';
  const old = json(200, { name: 'users', instances: registry.list('users'), revision: registry.position });
  let answer: (response: Response) => void = () => undefined;
  registry.intercept = ({ path }) =>
    path === '/services/users' ? new Promise((resolve) => (answer = resolve)) : undefined;
  client.peek('users');
  await settle();
  registry.upsert(instanceOf('users', 4001));
  await time.advance(4000);
  expect(ports(all)).toEqual([4000, 4001]);
  answer(old);
  await settle();
  expect(ports(all)).toEqual([4000, 4001]);
  await client.close();
});

test('a restarted registry takes nothing away for one lease; whoever registers again stays', async () => {
  const all = await watching();
  const { registry, time, of } = all;
  registry.restart();
  await time.advance(500);
  expect(registry.watchers.size).toBe(1);
  expect(ports(all)).toEqual([4000, 4001]);
  expect(of('held')).toMatchObject([{ name: 'users', instances: [{ port: 4000 }, { port: 4001 }] }]);
  const { instances } = all.client.peek('users') ?? {};
  registry.upsert(instanceOf('users', 4001));
  await settle();
  expect(all.client.peek('users')?.instances).toBe(instances);
  await pass(all, 44_000);
  expect(ports(all)).toEqual([4000, 4001]);
  await pass(all, 2000);
  expect(ports(all)).toEqual([4001]);
  await all.client.close();
});

test('a removal by name is believed at once, also of a held instance', async () => {
  const all = await watching();
  const { registry, time } = all;
  registry.restart();
  await time.advance(500);
  registry.upsert(instanceOf('users', 4000));
  registry.remove('users', '127.0.0.1:4000', 'deregistered');
  await settle();
  expect(ports(all)).toEqual([4001]);
  await all.client.close();
});

test('whoever registers at the address of a held instance takes its place', async () => {
  const all = await watching();
  const { registry, time } = all;
  registry.restart();
  await time.advance(500);
  registry.upsert(instanceOf('users', 4000, { id: 'other' }));
  await settle();
  expect(all.client.peek('users')?.instances.map(({ id }) => id)).toEqual(['127.0.0.1:4001', 'other']);
  await all.client.close();
});

test('a second restart grants a second lease', async () => {
  const all = await watching();
  const { registry, time } = all;
  registry.restart();
  await time.advance(500);
  await pass(all, 40_000);
  registry.restart();
  await time.advance(500);
  await pass(all, 40_000);
  expect(ports(all)).toEqual([4000, 4001]);
  await pass(all, 6000);
  expect(ports(all)).toEqual([]);
  await all.client.close();
});

test('the time of a held instance is not up while the registry cannot be heard', async () => {
  const all = await watching();
  const { registry, time } = all;
  registry.restart();
  await time.advance(500);
  await pass(all, 10_000);
  registry.mode = 'down';
  registry.dropWatchers(new TypeError('terminated'));
  await time.advance(120_000);
  expect(ports(all)).toEqual([4000, 4001]);
  registry.upsert(instanceOf('users', 4000));
  registry.mode = 'up';
  await time.advance(10_000);
  registry.bookmark();
  await time.advance(1500);
  expect(ports(all)).toEqual([4000]);
  await all.client.close();
});

test('with the watch switched off there is none', async () => {
  const { client, registry, time } = await watching({ watch: false });
  await client.register({ name: 'orders', port: 5000 });
  await time.advance(5000);
  expect(registry.calls('GET /watch')).toEqual([]);
  await client.close();
});

test('what a list has seen already is not replayed to it when the watch starts over earlier', async () => {
  const all = await watching();
  const { client, registry, time, of } = all;
  registry.upsert(instanceOf('orders', 5000));
  registry.upsert(instanceOf('orders', 5001));
  registry.remove('orders', '127.0.0.1:5001');
  await client.resolve('orders');
  await time.advance(1000);
  expect(registry.calls('GET /watch').at(-1)?.headers.get('last-event-id')).toBe('e1:2');
  expect(of('changed').filter(({ name }) => name === 'orders')).toHaveLength(1);
  registry.upsert(instanceOf('orders', 5002));
  await settle();
  expect(ports(all, 'orders')).toEqual([5000, 5002]);
  await client.close();
});

test('what happened between the answer to a fetch and its arrival is not lost when its name joins the watch', async () => {
  const all = await watching();
  const { client, registry, time } = all;
  registry.upsert(instanceOf('orders', 5000));
  registry.latencyMs = 1500;
  const resolving = client.resolve('orders');
  await settle();
  registry.upsert(instanceOf('orders', 5001));
  registry.upsert(instanceOf('users', 4002));
  registry.bookmark();
  await time.advance(1500);
  await resolving;
  await time.advance(1000);
  expect(ports(all, 'orders')).toEqual([5000, 5001]);
  await client.close();
});

test('an answer older than the list is dropped, also when the watch is gone again by then', async () => {
  const all = await watching();
  const { client, registry, time } = all;
  registry.dropWatchers();
  registry.mode = 'down';
  await time.advance(70_000);
  registry.latencyMs = 4900;
  registry.mode = 'up';
  client.peek('users');
  await settle();
  expect(registry.calls('GET /services')).toHaveLength(2);
  registry.upsert(instanceOf('users', 4002));
  await time.advance(4000);
  expect(ports(all)).toEqual([4000, 4001, 4002]);
  registry.mode = 'down';
  registry.dropWatchers();
  await time.advance(1000);
  expect(ports(all)).toEqual([4000, 4001, 4002]);
  await client.close();
});

test('bookmarks move the position to resume from, so that strangers do not use up what the registry remembers', async () => {
  const { client, registry, time } = await watching();
  for (let port = 9000; port < 9020; port += 1) registry.upsert(instanceOf('strangers', port));
  registry.bookmark();
  await settle();
  registry.dropWatchers();
  await time.advance(500);
  expect(registry.calls('GET /watch').at(-1)?.headers.get('last-event-id')).toBe('e1:22');
  await client.close();
});

test('a connection without a base (no resume, no snapshot yet) is not live', async () => {
  const { client, registry, time, of } = fixture();
  registry.intercept = ({ path }) =>
    path.startsWith('/watch')
      ? new Response('id: e1:9\nevent: bookmark\ndata: {}\n\n', {
          headers: { 'content-type': 'text/event-stream' },
        })
      : json(200, { name: 'users', instances: [instanceOf('users', 4000)], revision: 9 });
  await client.resolve('users');
  await time.advance(100);
  expect(registry.calls('GET /watch')).toHaveLength(1);
  expect(of('watching')).toEqual([]);
  await client.close();
});

test('a snapshot that lists another id at the address of a missing instance ends its hold', async () => {
  const all = await watching();
  const { client, registry, time } = all;
  registry.restart();
  registry.upsert(instanceOf('users', 4000, { id: 'other' }));
  await time.advance(500);
  expect(client.peek('users')?.instances.map(({ id }) => id)).toEqual(['127.0.0.1:4001', 'other']);
  await client.close();
});

test('a registry heard again after a long silence gets a moment to tell who is back', async () => {
  const all = await watching();
  const { client, registry, time } = all;
  registry.restart();
  await time.advance(500);
  registry.bookmark();
  await settle();
  registry.mode = 'down';
  registry.dropWatchers();
  registry.upsert(instanceOf('users', 4002));
  await time.advance(120_000);
  registry.mode = 'up';
  for (let at = 0; at < 10_000 && registry.watchers.size === 0; at += 100) await time.advance(100);
  expect(ports(all)).toEqual([4000, 4001, 4002]);
  await time.advance(800);
  registry.upsert(instanceOf('users', 4000));
  await time.advance(300);
  expect(ports(all)).toEqual([4000, 4002]);
  await client.close();
});

test('a registry that is heard on another way is watched again at once', async () => {
  const { client, registry, time } = await watching();
  registry.mode = 'down';
  registry.dropWatchers();
  await time.advance(600_000);
  registry.mode = 'up';
  await client.resolve('orders');
  await settle();
  expect(registry.watchers.size).toBe(1);
  await client.close();
});

test('an instance with a short lease is held as long as its next try to register may take', async () => {
  const all = fixture();
  const { registry, time, client } = all;
  registry.upsert(instanceOf('users', 4000, { heartbeatInterval: 1 }));
  await client.resolve('users');
  await time.advance(20);
  registry.restart();
  await time.advance(500);
  registry.bookmark();
  await time.advance(14_000);
  expect(ports(all)).toEqual([4000]);
  await time.advance(1000);
  expect(ports(all)).toEqual([]);
  await client.close();
});
