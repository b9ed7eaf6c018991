import { afterEach, expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { Fixture } from './testing/client-fixture.ts';
import { fixture } from './testing/client-fixture.ts';
import { isDiscoveryError } from './discovery-error.ts';
import { instanceOf } from './testing/fake-registry.ts';
import { DiscoveryClient, DiscoveryError } from './index.ts';
import type { Instance } from './instance.ts';
import { seeded } from '@mesh/resilience/testing';
import { settle } from './testing/settle.ts';

afterEach(settle);

const users = { name: 'users', port: 4000 } as const;

test('a client that was never used has nothing to close', async () => {
  const { client, registry, time } = fixture();
  expect(client.status).toBe('disconnected');
  await client.close();
  expect(registry.requests).toEqual([]);
  expect(time.pending).toBe(0);
});

test('close deregisters everything, ends the watch and leaves no timer', async () => {
  const { client, registry, time } = fixture();
  await Promise.all([client.register(users), client.register({ name: 'orders', port: 5000 })]);
  await client.resolve('users');
  await time.advance(1100);
  expect(registry.watchers.size).toBe(1);
  await Promise.all([client.close(), client.close()]);
  expect([...registry.list('users'), ...registry.list('orders')]).toEqual([]);
  expect(registry.watchers.size).toBe(0);
  expect(time.pending).toBe(0);
  const requests = registry.requests.length;
  await time.advance(3600_000);
  expect(registry.requests).toHaveLength(requests);
});

test('leaving a block closes', async () => {
  const { client, registry } = fixture();
  {
    await using owner = client;
    await owner.register(users);
  }
  expect(registry.list('users')).toEqual([]);
});

test('whoever waits is rejected like an abort, and so is whoever comes later', async () => {
  const { client, registry, time } = fixture();
  registry.mode = 'hang';
  const waiting = [client.resolve('users'), client.register(users)].map((call) =>
    call.catch((error: unknown) => error),
  );
  await settle();
  const closed = client.close();
  for (const error of await Promise.all(waiting)) {
    expect(error).toMatchObject({ name: 'AbortError', code: 'ERR_DISCOVERY_CLOSED' });
  }
  await expect(client.resolve('users')).rejects.toMatchObject({ code: 'ERR_DISCOVERY_CLOSED' });
  await expect(client.register(users)).rejects.toMatchObject({ code: 'ERR_DISCOVERY_CLOSED' });
  expect(client.peek('users')).toBeUndefined();
  // The goodbye for what the registry may have heard.
  await time.advance(5000);
  await closed;
  expect(registry.requests.every(({ signal }) => signal.aborted)).toBe(true);
  expect(time.pending).toBe(0);
});

test('after close the last list can still be peeked at, for the calls that are being finished', async () => {
  const { client, registry, time } = fixture();
  registry.upsert(instanceOf('users', 4000));
  await client.resolve('users');
  await client.close();
  await time.advance(3600_000);
  expect(client.peek('users')?.instances).toHaveLength(1);
  expect(registry.calls('GET /services')).toHaveLength(1);
});

test('close takes requestTimeout at most, however many goodbyes nobody hears', async () => {
  const { client, registry, time } = fixture({ requestTimeout: 400 });
  for (let port = 4000; port < 4010; port += 1) await client.register({ name: 'users', port });
  registry.mode = 'hang';
  let closed = false;
  void client.close().then(() => (closed = true));
  await time.advance(399);
  expect(closed).toBe(false);
  await time.advance(1);
  expect(closed).toBe(true);
  expect(time.pending).toBe(0);
});

test.each(['up', 'down', 'hang', 'broken'] as const)(
  'close ends in every phase: registry %s',
  async (mode) => {
    for (let at = 0; at < 40_000; at = Math.ceil(at * 1.7) + 1) {
      const { client, registry, time } = fixture({ requestTimeout: 300 });
      registry.upsert(instanceOf('orders', 5000));
      if (at % 2 === 0) await client.register({ ...users, heartbeatInterval: 1 });
      registry.mode = mode;
      const calls = Promise.allSettled([
        client.register({ name: 'carts', port: 6000 }),
        client.resolve('orders'),
      ]);
      await time.advance(at);
      let closed = false;
      void client.close().then(() => (closed = true));
      await time.advance(300);
      expect(closed).toBe(true);
      await calls;
      expect(time.pending).toBe(0);
      expect(registry.watchers.size).toBe(0);
      if (mode === 'up') expect([...registry.list('users'), ...registry.list('carts')]).toEqual([]);
    }
  },
);

test('status follows what the registry last did', async () => {
  const { client, registry, time, of } = fixture({ watch: false });
  await client.resolve('users');
  expect(client.status).toBe('connected');
  registry.mode = 'down';
  await time.advance(2000);
  await client.resolve('users');
  expect(client.status).toBe('disconnected');
  registry.mode = 'broken';
  await time.advance(2000);
  await client.resolve('users');
  expect(client.status).toBe('connected');
  expect([of('connected').length, of('disconnected').length]).toEqual([2, 1]);
});

test('errors are told by their code, across copies of the library', () => {
  expect(isDiscoveryError(new DiscoveryError('ERR_DISCOVERY_UNAVAILABLE', 'x'))).toBe(true);
  expect(isDiscoveryError(Object.assign(new Error('x'), { code: 'ERR_DISCOVERY_CLOSED' }))).toBe(true);
  expect(isDiscoveryError(Object.assign(new Error('x'), { code: 'ERR_OTHER' }))).toBe(false);
  expect(isDiscoveryError(new Error('x'))).toBe(false);
  expect(isDiscoveryError(undefined)).toBe(false);
});

test('options are checked when the client is made', () => {
  expect(() => new DiscoveryClient({ requestTimeout: -1 })).toThrow(/requestTimeout .* got -1/);
});

const names = ['users', 'orders'] as const;
const name = fc.constantFrom(...names);
const port = fc.integer({ min: 1, max: 3 });
const operations = fc.array(
  fc.oneof(
    {
      weight: 4,
      arbitrary: fc.record({
        do: fc.constant('upsert' as const),
        name,
        port,
        weight: fc.integer({ min: 1, max: 3 }),
      }),
    },
    { weight: 3, arbitrary: fc.record({ do: fc.constant('remove' as const), name, port }) },
    { weight: 3, arbitrary: fc.record({ do: fc.constant('use' as const), name }) },
    {
      weight: 3,
      arbitrary: fc.record({ do: fc.constant('wait' as const), ms: fc.constantFrom(1, 30, 400, 3000, 9000) }),
    },
    fc.record({
      do: fc.constantFrom(
        'drop' as const,
        'restart' as const,
        'bookmark' as const,
        'part' as const,
        'join' as const,
      ),
    }),
    fc.record({ do: fc.constant('latency' as const), ms: fc.constantFrom(0, 300, 2500) }),
    fc.record({ do: fc.constant('ring' as const), size: fc.constantFrom(0, 2, 1000) }),
  ),
  { maxLength: 40 },
);

type Step = typeof operations extends fc.Arbitrary<(infer T)[]> ? T : never;

/**
 * The registry, and who is alive: instances register again within their lease after a restart.
 * Always: who is alive and was once listed by the client is listed. In the end: the lists are those of the registry.
 */
class World {
  readonly #all: Fixture;
  readonly #random: () => number;
  readonly #alive = new Map<string, Instance>();
  readonly #listed = new Set<string>();
  readonly #watch: boolean;
  #lives = 0;
  #restarts = 0;

  constructor(watch: boolean, seed: number) {
    this.#watch = watch;
    this.#random = seeded(seed);
    this.#all = fixture({ watch, random: this.#random, cacheMultiplier: 0.2 });
  }

  async take(step: Step): Promise<void> {
    const { client, registry, time } = this.#all;
    if (step.do === 'upsert') this.#upsert(step.name, step.port, step.weight);
    else if (step.do === 'remove') this.#remove(step.name, step.port);
    else if (step.do === 'use') void client.resolve(step.name).catch(() => undefined);
    else if (step.do === 'wait') await time.advance(step.ms);
    else if (step.do === 'latency') registry.latencyMs = step.ms;
    else if (step.do === 'ring') registry.ringSize = step.size;
    else if (step.do === 'restart') this.#restart();
    else if (step.do === 'bookmark') registry.bookmark();
    else if (step.do === 'join') registry.mode = 'up';
    else {
      if (step.do === 'part') registry.mode = 'down';
      registry.dropWatchers(new TypeError('terminated'));
    }
    await settle();
    this.#check();
  }

  async end(): Promise<void> {
    const { client, registry, time } = this.#all;
    registry.mode = 'up';
    registry.latencyMs = 0;
    for (let second = 0; second < 110; second += 1) {
      if (second % 10 === 0) registry.bookmark();
      await time.advance(1000);
      this.#check();
    }
    for (const service of names) {
      await client.resolve(service);
      await settle();
      expect(client.peek(service)?.instances).toEqual(registry.list(service));
    }
    await client.close();
    expect(time.pending).toBe(0);
  }

  #upsert(service: string, port: number, weight: number): void {
    const template = instanceOf(service, portOf(service, port), { weight });
    // Who was gone and comes back is another life of the same address.
    const incarnation = this.#alive.get(template.id)?.incarnation ?? `life ${++this.#lives}`;
    const instance = { ...template, incarnation };
    this.#alive.set(instance.id, instance);
    this.#all.registry.upsert(instance);
  }

  #remove(service: string, port: number): void {
    const { id } = instanceOf(service, portOf(service, port));
    this.#alive.delete(id);
    this.#all.registry.remove(service, id);
  }

  #restart(): void {
    const { registry, time } = this.#all;
    // A 404 names no run of the registry: without a watch only the first restart within a lease can be guarded against.
    if (!this.#watch && this.#restarts++ > 0) return;
    registry.restart();
    for (const [id, { incarnation }] of this.#alive) {
      time.set(() => {
        const instance = this.#alive.get(id);
        if (instance?.incarnation === incarnation) registry.upsert(instance);
      }, this.#random() * 40_000);
    }
  }

  #check(): void {
    const now = names.flatMap((service) => [...(this.#all.client.peek(service)?.instances ?? [])]);
    const lives = now.map(({ incarnation }) => incarnation);
    for (const { incarnation } of this.#alive.values()) {
      if (this.#listed.has(incarnation)) expect(lives).toContain(incarnation);
    }
    for (const incarnation of lives) this.#listed.add(incarnation);
  }
}

/** One address is one instance: the ports of the services differ. */
function portOf(service: string, port: number): number {
  return (service === 'users' ? 4000 : 5000) + port;
}

test.each([true, false])(
  'any interleaving of changes, faults and restarts ends in the state of the registry: watch %s',
  async (watch) => {
    await fc.assert(
      fc.asyncProperty(operations, fc.integer(), async (steps, seed) => {
        const world = new World(watch, seed);
        for (const step of steps) await world.take(step);
        await world.end();
      }),
      { numRuns: watch ? 200 : 80 },
    );
  },
  30_000,
);
