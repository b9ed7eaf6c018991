import { afterEach, expect, test } from '@jest/globals';
import { DiscoveryClient } from './discovery-client.ts';
import type { DiscoveryClientOptions } from './discovery-client-options.ts';
import type { DiscoveryEvent } from './discovery-event.ts';
import { json } from './testing/fake-registry.ts';
import { VirtualTime } from '@mesh/resilience/testing';
import { settle } from './testing/settle.ts';

afterEach(settle);

/** The blocking queries of a Consul agent, one service of one list. */
class FakeAgent {
  readonly time = new VirtualTime();
  readonly asked: { readonly at: number; readonly index: string | null }[] = [];
  readonly events: DiscoveryEvent[] = [];
  ports = [4000];
  index = 10;
  isDown = false;
  waiting = 0;
  #wake: (() => void)[] = [];
  readonly client: DiscoveryClient;

  constructor(options: DiscoveryClientOptions = {}) {
    this.client = new DiscoveryClient({
      serverUrl: 'consul://agent',
      fetch: (input, init) => this.#answer(new URL(input as string), init?.signal ?? undefined),
      clock: this.time,
      timers: this.time,
      random: () => 0.5,
      onEvent: (event) => this.events.push(event),
      ...options,
    });
  }

  change(ports: number[], index = this.index + 1): void {
    this.ports = ports;
    this.index = index;
    for (const wake of this.#wake.splice(0)) wake();
  }

  listed(): number[] | undefined {
    return this.client.peek('users')?.instances.map(({ port }) => port);
  }

  async #answer(url: URL, signal: AbortSignal | undefined): Promise<Response> {
    if (this.isDown) throw new TypeError('fetch failed');
    const index = url.searchParams.get('index');
    this.asked.push({ at: this.time.now(), index });
    if (Number(index) === this.index && Number(index) > 0) await this.#wait(signal);
    const entries = this.ports.map((port) => ({
      Node: { Address: '10.0.0.1' },
      Service: { ID: `users-${port}`, Service: 'users', Address: '', Port: port, Weights: { Passing: 1 } },
    }));
    return json(200, entries, { 'x-consul-index': String(this.index) });
  }

  async #wait(signal: AbortSignal | undefined): Promise<void> {
    this.waiting += 1;
    let timer: unknown;
    await new Promise<void>((resolve, reject) => {
      this.#wake.push(resolve);
      timer = this.time.set(resolve, 60_000);
      signal?.addEventListener('abort', () => {
        reject(signal.reason as Error);
      });
    }).finally(() => {
      this.time.clear(timer);
      this.waiting -= 1;
    });
  }
}

/** An agent that is followed: one question waits. */
async function followed(options: DiscoveryClientOptions = {}): Promise<FakeAgent> {
  const agent = new FakeAgent(options);
  await agent.client.resolve('users');
  await settle();
  return agent;
}

test('a list is followed by its index, is live meanwhile, and costs one question a minute', async () => {
  const agent = await followed();
  expect(agent.asked.map(({ index }) => index)).toEqual([null, '0', '10']);
  await agent.time.advance(3600_000);
  expect(agent.client.peek('users')).toMatchObject({ source: 'fresh' });
  expect(agent.client.peek('users')?.ageMs).toBe(0);
  expect(agent.asked.length).toBeLessThanOrEqual(64);
  agent.change([4000, 4001]);
  await settle();
  expect(agent.listed()).toEqual([4000, 4001]);
  await agent.client.close();
  await settle();
  expect([agent.waiting, agent.time.pending]).toEqual([0, 0]);
});

test('an index that went back starts over, as a restored agent needs it', async () => {
  const agent = await followed();
  agent.change([4000, 4001], 3);
  await agent.time.advance(5000);
  expect(agent.listed()).toEqual([4000, 4001]);
  expect(agent.asked.slice(-2).map(({ index }) => index)).toEqual(['0', '3']);
  await agent.client.close();
});

test('an index of 0 never becomes a loop without waiting', async () => {
  const agent = await followed();
  agent.change([4000], 0);
  await agent.time.advance(60_000);
  expect(agent.asked.length).toBeLessThan(70);
  await agent.client.close();
});

test('a service in unrest is polled once a second, and no state is missed for longer', async () => {
  const agent = await followed();
  for (let turn = 0; turn < 100; turn++) {
    agent.change([4000 + turn]);
    await agent.time.advance(100);
  }
  expect(agent.asked.length).toBeLessThan(20);
  await agent.time.advance(2000);
  expect(agent.listed()).toContain(4099);
  await agent.client.close();
});

test('an agent that is away leaves an aging list, is tried with back-off, and followed again', async () => {
  const agent = await followed();
  agent.isDown = true;
  agent.change([4000]);
  await agent.time.advance(120_000);
  expect(agent.client.peek('users')).toMatchObject({ source: 'stale' });
  expect(agent.events.filter(({ type }) => type === 'watch-lost').length).toBeLessThan(40);
  agent.isDown = false;
  await agent.time.advance(13_000);
  expect(agent.client.peek('users')?.ageMs).toBe(0);
  await agent.client.close();
});

test('a list that lost more than half, or all, is doubted for one lease; one that lost half is not', async () => {
  const agent = await followed();
  agent.change([4000, 4001, 4002, 4003]);
  await agent.time.advance(5000);
  agent.change([4000, 4001]);
  await agent.time.advance(5000);
  expect(agent.listed()).toEqual([4000, 4001]);
  agent.change([]);
  await agent.time.advance(44_000);
  expect(agent.listed()).toEqual([4000, 4001]);
  expect(agent.events.filter(({ type }) => type === 'held')).toHaveLength(1);
  await agent.time.advance(70_000);
  expect(agent.listed()).toEqual([]);
  await agent.client.close();
});

test('guardRatio 1 believes everything at once', async () => {
  const agent = await followed({ guardRatio: 1 });
  agent.change([]);
  await settle();
  expect(agent.listed()).toEqual([]);
  await agent.client.close();
});

test('without the watch there are no blocking queries', async () => {
  const agent = await followed({ watch: false });
  expect(agent.asked).toHaveLength(1);
  await agent.client.close();
});

test('what is not a list of Consul changes nothing', async () => {
  const agent = await followed();
  const broken = [null, 1, {}, { Service: null }, { Service: {} }, { Service: { ID: 1 } }];
  const client = new DiscoveryClient({
    serverUrl: 'consul://agent',
    watch: false,
    fetch: () => Promise.resolve(json(200, broken)),
  });
  expect((await client.resolve('users')).instances).toEqual([]);
  await Promise.all([client.close(), agent.client.close()]);
});
