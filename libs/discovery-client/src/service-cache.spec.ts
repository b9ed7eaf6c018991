import { afterEach, expect, test } from '@jest/globals';
import { fixture } from './testing/client-fixture.ts';
import { isDiscoveryError } from './discovery-error.ts';
import { instanceOf, json } from './testing/fake-registry.ts';
import { maximumNames } from './service-cache.ts';
import { settle } from './testing/settle.ts';

afterEach(settle);

const polling = { watch: false } as const;

test('the first resolve asks the registry, the next ones do not', async () => {
  const { client, registry } = fixture(polling);
  registry.upsert(instanceOf('users', 4000));
  const first = await client.resolve('users');
  expect(first).toMatchObject({ source: 'fresh', revision: 'e1:1' });
  expect(first.instances).toEqual([instanceOf('users', 4000)]);
  expect(await client.resolve('users')).toBe(first);
  expect(client.peek('users')).toBe(first);
  expect(registry.calls('GET /services/users')).toHaveLength(1);
});

test('answers are frozen all the way down', async () => {
  const { client, registry } = fixture(polling);
  registry.upsert(instanceOf('users', 4000, { metadata: { zone: 'a' } }));
  const { instances } = await client.resolve('users');
  expect(Object.isFrozen(instances)).toBe(true);
  expect(Object.isFrozen(instances[0])).toBe(true);
  expect(Object.isFrozen(instances[0]?.metadata)).toBe(true);
});

test('callers of a name that is not cached share one fetch', async () => {
  const { client, registry } = fixture(polling);
  registry.upsert(instanceOf('users', 4000));
  const all = await Promise.all(Array.from({ length: 100 }, () => client.resolve('users')));
  expect(new Set(all).size).toBe(1);
  expect(registry.calls('GET /services/users')).toHaveLength(1);
});

test('expiry under 1000 concurrent callers is one fetch, and nobody waits for it', async () => {
  const { client, registry, time } = fixture(polling);
  registry.upsert(instanceOf('users', 4000));
  await client.resolve('users');
  await time.advance(60_001);
  let answer: (response: Response) => void = () => undefined;
  registry.intercept = () => new Promise((resolve) => (answer = resolve));
  const all = await Promise.all(Array.from({ length: 1000 }, () => client.resolve('users')));
  expect(registry.calls('GET /services/users')).toHaveLength(2);
  expect(all.every(({ source, ageMs }) => source === 'stale' && ageMs === 60_001)).toBe(true);
  answer(json(200, { name: 'users', instances: [instanceOf('users', 4001)], revision: 'e1:9' }));
  await settle();
  expect(client.peek('users')).toMatchObject({ source: 'fresh', revision: 'e1:9', ageMs: 0 });
  expect(client.peek('users')?.instances.map(({ port }) => port)).toEqual([4001]);
});

test.each([
  ['the default interval', 30, 2, 60_000],
  ['a faster service', 5, 2, 10_000],
  ['another multiplier', 30, 0.5, 15_000],
])('a list is fresh for interval x multiplier: %s', async (_, heartbeatInterval, cacheMultiplier, ttlMs) => {
  const { client, registry, time } = fixture({ ...polling, cacheMultiplier });
  registry.upsert(instanceOf('users', 4000, { heartbeatInterval }));
  await client.resolve('users');
  await time.advance(ttlMs - 1);
  expect(client.peek('users')?.source).toBe('fresh');
  expect(client.cache()).toEqual([{ name: 'users', ttlMs: 1, instances: 1, source: 'fresh' }]);
  await time.advance(1);
  expect(client.peek('users')?.source).toBe('stale');
});

test.each([0, 0.25, 0.999])('the time to live varies by a tenth: random %d', async (random) => {
  const { client, registry, time } = fixture({ ...polling, random: () => random });
  registry.upsert(instanceOf('users', 4000));
  await client.resolve('users');
  await time.advance(60_000 * (0.9 + 0.2 * random) - 1);
  expect(client.peek('users')?.source).toBe('fresh');
  await time.advance(1);
  expect(client.peek('users')?.source).toBe('stale');
});

test('the array is the same while its content is, even when the heartbeat times differ', async () => {
  const { client, registry, time } = fixture(polling);
  registry.upsert(instanceOf('users', 4000));
  const { instances } = await client.resolve('users');
  await time.advance(60_000);
  registry.upsert(instanceOf('users', 4000, { lastHeartbeat: '2026-11-21T00:01:00.000Z' }));
  client.peek('users');
  await settle();
  expect(client.peek('users')).toMatchObject({ source: 'fresh', revision: 'e1:2' });
  expect(client.peek('users')?.instances).toBe(instances);
  registry.upsert(instanceOf('users', 4000, { weight: 2 }));
  await time.advance(60_000);
  client.peek('users');
  await settle();
  expect(client.peek('users')?.instances).not.toBe(instances);
});

test('a registry that is down leaves the list in place for a day, then no longer', async () => {
  const { client, registry, time, of } = fixture(polling);
  registry.upsert(instanceOf('users', 4000));
  const { instances } = await client.resolve('users');
  registry.mode = 'down';
  await time.advance(24 * 3600_000 - 1);
  const old = await client.resolve('users');
  expect(old).toMatchObject({ source: 'stale', ageMs: 24 * 3600_000 - 1 });
  expect(old.instances).toBe(instances);
  await settle();
  expect(of('refresh-failed')).toHaveLength(1);
  expect(client.status).toBe('disconnected');
  await time.advance(10_000);
  expect(client.peek('users')).toBeUndefined();
  await expect(client.resolve('users')).rejects.toMatchObject({ code: 'ERR_DISCOVERY_UNAVAILABLE' });
});

test('failing refreshes are paced, and tried at once when the registry is heard again', async () => {
  const { client, registry, time } = fixture(polling);
  registry.upsert(instanceOf('users', 4000));
  registry.upsert(instanceOf('orders', 5000));
  await client.resolve('users');
  registry.mode = 'down';
  await time.advance(60_000);
  for (let ms = 0; ms < 60_000; ms += 10) {
    client.peek('users');
    await time.advance(10);
  }
  const failed = registry.calls('GET /services/users').length - 1;
  expect(failed).toBeGreaterThan(10);
  expect(failed).toBeLessThan(22);
  registry.mode = 'up';
  await client.resolve('orders');
  client.peek('users');
  await settle();
  expect(client.peek('users')?.source).toBe('fresh');
});

test('without a list a failure is told at once, with its cause, and again without asking for a moment', async () => {
  const { client, registry, time } = fixture(polling);
  registry.mode = 'down';
  const error: unknown = await client.resolve('users').catch((thrown: unknown) => thrown);
  expect(isDiscoveryError(error)).toBe(true);
  expect(error).toMatchObject({
    name: 'DiscoveryError',
    code: 'ERR_DISCOVERY_UNAVAILABLE',
    message: /users/,
  });
  await expect(client.resolve('users')).rejects.toThrow('users');
  expect(registry.requests).toHaveLength(1);
  registry.mode = 'up';
  registry.upsert(instanceOf('users', 4000));
  await time.advance(1200);
  expect((await client.resolve('users')).instances).toHaveLength(1);
});

test('a call that hangs is given up after requestTimeout', async () => {
  const { client, registry, time } = fixture({ ...polling, requestTimeout: 700 });
  registry.mode = 'hang';
  const waiting = client.resolve('users').catch((error: unknown) => error);
  await time.advance(699);
  expect(registry.requests[0]?.signal.aborted).toBe(false);
  await time.advance(1);
  expect(await waiting).toMatchObject({ code: 'ERR_DISCOVERY_UNAVAILABLE', message: /700 ms/ });
  expect(registry.requests[0]?.signal.aborted).toBe(true);
  expect(time.pending).toBe(0);
});

test('a service the registry does not know is an empty list, asked for again soon', async () => {
  const { client, registry, time } = fixture(polling);
  expect((await client.resolve('users')).instances).toEqual([]);
  await client.resolve('users');
  expect(registry.requests).toHaveLength(1);
  registry.upsert(instanceOf('users', 4000));
  await time.advance(1000);
  expect((await client.resolve('users')).instances).toHaveLength(1);
});

test.each([
  [404, 'a 404 of another route table', { code: 'ERR_NOT_FOUND' }, 'ERR_DISCOVERY_REJECTED'],
  [500, 'an internal error', { code: 'ERR_INTERNAL' }, 'ERR_DISCOVERY_UNAVAILABLE'],
  [200, 'a list that is none', { name: 'users' }, 'ERR_DISCOVERY_UNAVAILABLE'],
])('%d, %s, is no answer about instances', async (status, _, body, code) => {
  const { client, registry } = fixture(polling);
  registry.intercept = () => json(status, body);
  await expect(client.resolve('users')).rejects.toMatchObject({ code });
});

test('a page of HTML and a gateway in front are no answers either', async () => {
  const { client, registry } = fixture(polling);
  registry.intercept = () => new Response('<h1>Not Found</h1>', { status: 404 });
  await expect(client.resolve('users')).rejects.toMatchObject({ status: 404 });
  registry.intercept = () =>
    new Response('<h1>Bad Gateway</h1>', { status: 502, headers: { 'retry-after': '3' } });
  await expect(client.resolve('orders')).rejects.toMatchObject({ status: 502, retryAfterMs: 3000 });
});

test('one malformed instance does not take the others away', async () => {
  const { client, registry } = fixture(polling);
  registry.intercept = () =>
    json(200, { name: 'users', instances: [null, { id: 1 }, instanceOf('users', 4000)], revision: 7 });
  expect(await client.resolve('users')).toMatchObject({ revision: '7', instances: [{ port: 4000 }] });
});

test.each(['', 'Users', '../admin', '__proto__', 'a b', '-a', 'a'.repeat(64)])(
  'no registry can know the name %j: nothing is asked',
  async (name) => {
    const { client, registry } = fixture(polling);
    expect(client.peek(name)).toBeUndefined();
    expect((await client.resolve(name)).instances).toEqual([]);
    expect(registry.requests).toEqual([]);
    expect(client.cache()).toEqual([]);
  },
);

test('a busy name is renewed before it expires', async () => {
  let random = 0.5;
  const { client, registry, time } = fixture({ ...polling, random: () => random });
  registry.upsert(instanceOf('users', 4000));
  registry.intercept = () => {
    registry.intercept = undefined;
    return new Promise((resolve) =>
      time.set(() => {
        resolve(json(200, { name: 'users', instances: registry.list('users'), revision: 'e1:1' }));
      }, 1000),
    );
  };
  const first = client.resolve('users');
  await time.advance(1000);
  await first;
  await time.advance(58_500);
  client.peek('users');
  await settle();
  expect(registry.requests).toHaveLength(1);
  random = 0.9;
  expect(client.peek('users')?.source).toBe('fresh');
  await settle();
  expect(registry.requests).toHaveLength(2);
});

test('a caller may leave; the fetch it started serves the others', async () => {
  const { client, registry, time } = fixture(polling);
  registry.upsert(instanceOf('users', 4000));
  let answer: (response: Response) => void = () => undefined;
  registry.intercept = () => new Promise((resolve) => (answer = resolve));
  const leaver = new AbortController();
  const left = client.resolve('users', { signal: leaver.signal }).catch((error: unknown) => error);
  const stays = client.resolve('users', { signal: new AbortController().signal });
  await settle();
  leaver.abort(new Error('gone'));
  expect(await left).toMatchObject({ message: 'gone' });
  answer(json(200, { name: 'users', instances: registry.list('users'), revision: 'e1:1' }));
  expect((await stays).instances).toHaveLength(1);
  await expect(client.resolve('users', { signal: leaver.signal })).rejects.toThrow('gone');
  expect(time.pending).toBe(0);
});

test('the number of names is bounded: those without instances go first, then the least recently used', async () => {
  const { client, registry } = fixture(polling);
  registry.upsert(instanceOf('users', 4000));
  registry.upsert(instanceOf('orders', 5000));
  await client.resolve('users');
  await client.resolve('orders');
  for (let index = 0; index < maximumNames + 50; index += 1) await client.resolve(`nobody-${index}`);
  expect(client.cache()).toHaveLength(maximumNames);
  expect(
    client
      .cache()
      .filter(({ instances }) => instances > 0)
      .map(({ name }) => name),
  ).toEqual(['users', 'orders']);
  expect(client.cache().some(({ name }) => name === 'nobody-0')).toBe(false);
  expect(client.cache().some(({ name }) => name === `nobody-${maximumNames + 49}`)).toBe(true);
});

test('an answer of another epoch does not take instances away for one lease', async () => {
  const { client, registry, time, of } = fixture({ ...polling, cacheMultiplier: 0.1 });
  registry.upsert(instanceOf('users', 4000));
  registry.upsert(instanceOf('users', 4001));
  await client.resolve('users');
  registry.restart();
  registry.upsert(instanceOf('users', 4001));
  await time.advance(3000);
  client.peek('users');
  await settle();
  expect(client.peek('users')?.instances.map(({ port }) => port)).toEqual([4000, 4001]);
  expect(of('held').map(({ instances }) => instances.map(({ port }) => port))).toEqual([[4000]]);
  await time.advance(44_999);
  client.peek('users');
  await settle();
  expect(client.peek('users')?.instances).toHaveLength(2);
  await time.advance(3000);
  client.peek('users');
  await settle();
  expect(client.peek('users')?.instances.map(({ port }) => port)).toEqual([4001]);
});

test('a list that became empty without an epoch is believed after one lease', async () => {
  const { client, registry, time } = fixture({ ...polling, cacheMultiplier: 0.5 });
  registry.upsert(instanceOf('users', 4000));
  await client.resolve('users');
  registry.remove('users', '127.0.0.1:4000');
  await time.advance(15_000);
  for (let at = 0; at < 44_000; at += 1000) {
    client.peek('users');
    await time.advance(1000);
    expect(client.peek('users')?.instances).toHaveLength(1);
  }
  await time.advance(16_000);
  expect((await client.resolve('users')).source).toBe('stale');
  await settle();
  expect(client.peek('users')?.instances).toEqual([]);
});
