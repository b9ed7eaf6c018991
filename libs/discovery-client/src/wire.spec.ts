import { afterEach, expect, test } from '@jest/globals';
import { DiscoveryClient } from './discovery-client.ts';
import { FakeRegistry, instanceOf, json } from './testing/fake-registry.ts';
import { VirtualTime } from '@mesh/resilience/testing';
import { settle } from './testing/settle.ts';

afterEach(settle);

type Mode = 'up' | 'down' | 'hang' | 503;

/** One registry behind three servers, each of which can fail. */
function cluster(random = 0) {
  const time = new VirtualTime();
  const registry = new FakeRegistry(time);
  const modes = new Map<string, Mode>();
  const asked: string[] = [];
  const client = new DiscoveryClient({
    serverUrl: 'http://a:3000,http://b:3000,http://c:3000',
    requestTimeout: 3000,
    watch: false,
    clock: time,
    timers: time,
    random: () => random,
    fetch: async (input, init) => {
      const { hostname } = new URL(input as string);
      asked.push(hostname);
      const mode = modes.get(hostname) ?? 'up';
      if (mode === 'down') throw new TypeError('fetch failed');
      if (mode === 503) return json(503, { code: 'ERR_CAPACITY' }, { 'retry-after': '1' });
      if (mode === 'up') return await registry.fetch(input, init);
      return await new Promise((_, reject) => {
        init?.signal?.addEventListener('abort', () => {
          reject(init.signal?.reason as Error);
        });
      });
    },
  });
  registry.upsert(instanceOf('users', 4000));
  return { time, registry, modes, asked, client };
}

test.each([
  [0, 'a'],
  [0.5, 'b'],
  [0.99, 'c'],
])('clients begin at different servers: random %d at %s', async (random, first) => {
  const { client, asked } = cluster(random);
  await client.resolve('users');
  expect(asked).toEqual([first]);
  expect(client.serverUrl).toBe(`http://${first}:3000`);
  await client.close();
});

test.each<Mode>(['down', 503])(
  'a server that is %s is left for the next within the same call, and not asked again',
  async (mode) => {
    const { client, asked, modes } = cluster();
    modes.set('a', mode).set('b', mode);
    expect((await client.resolve('users')).instances).toHaveLength(1);
    await client.register({ name: 'users', port: 4001 });
    await client.resolve('orders');
    // The session of the registration is asked for in between.
    expect(asked.slice(0, 4)).toEqual(['a', 'b', 'c', 'c']);
    expect(new Set(asked.slice(4))).toEqual(new Set(['c']));
    expect(client.status).toBe('connected');
    await client.close();
  },
);

test('a server that hangs has its share of the time and no more', async () => {
  const { client, asked, modes, time } = cluster();
  modes.set('a', 'hang');
  const answer = client.resolve('users');
  await time.advance(999);
  expect(asked).toEqual(['a']);
  await time.advance(1);
  expect((await answer).instances).toHaveLength(1);
  expect(asked).toEqual(['a', 'b']);
  await client.close();
});

test('when nobody answers the call fails within requestTimeout, and each was asked once', async () => {
  const { client, asked, modes, time } = cluster();
  for (const server of 'abc') modes.set(server, 'hang');
  const failure = client.resolve('users').catch((error: unknown) => error);
  await time.advance(3000);
  expect(await failure).toMatchObject({ code: 'ERR_DISCOVERY_UNAVAILABLE' });
  expect(asked).toEqual(['a', 'b', 'c']);
  await client.close();
});

test('the last answer is told as it is when all are full', async () => {
  const { client, asked, modes } = cluster();
  for (const server of 'abc') modes.set(server, 503);
  await expect(client.resolve('users')).rejects.toMatchObject({ status: 503, retryAfterMs: 1000 });
  expect(asked).toEqual(['a', 'b', 'c']);
  await client.close();
});

test('a refusal is an answer: no other server is asked for another', async () => {
  const { client, asked, registry } = cluster();
  registry.intercept = () => json(400, { code: 'ERR_VALIDATION' });
  await expect(client.register({ name: 'users', port: 4001 })).rejects.toMatchObject({ status: 400 });
  expect(asked).toEqual(['a']);
  await client.close();
});

test('concurrent calls that meet a dead server leave it once, not twice past the living one', async () => {
  const { client, asked, modes } = cluster();
  modes.set('a', 'down');
  modes.set('c', 'down');
  await Promise.all(['users', 'orders', 'carts'].map((name) => client.resolve(name)));
  expect(asked.filter((server) => server === 'b')).toHaveLength(3);
  expect(asked).not.toContain('c');
  await client.close();
});

test('the namespace travels with every call', async () => {
  const time = new VirtualTime();
  const registry = new FakeRegistry(time);
  const { fetch } = registry;
  const client = new DiscoveryClient({
    namespace: 'shop',
    clock: time,
    timers: time,
    random: () => 0.5,
    fetch,
  });
  registry.upsert(instanceOf('users', 4000));
  const registration = await client.register({ name: 'users', port: 4001 });
  await client.resolve('users');
  await time.advance(1100);
  await registration.drain();
  await client.close();
  const bodies = registry.requests.flatMap(({ body }) => (body ? [body['namespace']] : []));
  expect(new Set(bodies)).toEqual(new Set(['shop']));
  const paths = registry.requests.filter(({ body }) => body === undefined).map(({ path }) => path);
  expect(paths.every((path) => /namespace=shop|shop(\/|%2F)users/.test(path))).toBe(true);
});
