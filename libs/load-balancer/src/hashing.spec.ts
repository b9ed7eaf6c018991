/** Consistent hashing: how even, how steady, and never over the bound. */
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { Endpoint } from './endpoint.ts';
import { boundedLoadPolicy } from './bounded-load.ts';
import type { Lease } from './lease.ts';
import { LoadBalancer } from './load-balancer.ts';
import type { StrategyName } from './strategies.ts';
import { seeded } from './testing/seeded.ts';
import { expectShares } from './testing/shares.ts';

const hashing = ['maglev', 'ring-hash', 'rendezvous', 'bounded-load'] as const satisfies StrategyName[];

const keys = (count: number) => Array.from({ length: count }, (_, at) => `user-${at}`);
const ids = (count: number) => Array.from({ length: count }, (_, at) => `10.0.${at >> 8}.${at & 255}:4000`);
const plain = (count: number): Endpoint[] => ids(count).map((id) => ({ id }));

function owners(strategy: StrategyName, endpoints: readonly Endpoint[], wanted: readonly string[]): string[] {
  const balancer = new LoadBalancer({ strategy, random: seeded(1) });
  balancer.update(endpoints);
  return wanted.map((key) => {
    const lease = balancer.pick({ key });
    lease?.done();
    return lease?.endpoint.id ?? '';
  });
}

function countsOf(owned: readonly string[], endpoints: readonly Endpoint[]): number[] {
  const counts = new Map<string, number>(endpoints.map(({ id }) => [id, 0]));
  for (const id of owned) counts.set(id, (counts.get(id) ?? NaN) + 1);
  return [...counts.values()];
}

const moved = (before: readonly string[], after: readonly string[]) =>
  before.filter((id, at) => id !== after[at]).length / before.length;

describe.each(hashing)('%s', (strategy) => {
  test('the same key goes to the same endpoint, whatever the order of the list and whoever balances', () => {
    const wanted = keys(2000);
    const endpoints = plain(20);
    expect(owners(strategy, endpoints.toReversed(), wanted)).toEqual(owners(strategy, endpoints, wanted));
  });

  test.each([3, 20])('max / mean of %d endpoints is at most 1.10', (size) => {
    const endpoints = plain(size);
    const wanted = keys(size * 8000);
    const counts = countsOf(owners(strategy, endpoints, wanted), endpoints);
    expect(Math.max(...counts) / 8000).toBeLessThanOrEqual(1.1);
  });

  test.each([3, 10, 50])(
    'one of %d that leaves moves its own keys and at most 1 %% of the others',
    (size) => {
      const endpoints = plain(size);
      const wanted = keys(20_000);
      const before = owners(strategy, endpoints, wanted);
      for (const gone of [0, size >> 1]) {
        const after = owners(strategy, endpoints.toSpliced(gone, 1), wanted);
        expect(moved(before, after)).toBeLessThanOrEqual(
          moved(
            before,
            before.map((id) => (id === endpoints[gone]?.id ? '' : id)),
          ) + 0.01,
        );
      }
    },
  );

  test.each([3, 10, 50])('one that joins %d takes its share and moves at most 1 %% more', (size) => {
    const wanted = keys(20_000);
    const before = owners(strategy, plain(size), wanted);
    const after = owners(strategy, plain(size + 1), wanted);
    expect(moved(before, after)).toBeLessThanOrEqual(1.1 / (size + 1) + 0.01);
  });

  test('one that is unavailable for a while moves its own keys only, and they come back', () => {
    const endpoints = ids(20).map((id) => ({ id, available: true }));
    const balancer = new LoadBalancer({ strategy, random: seeded(1) });
    balancer.update(endpoints);
    const look = () =>
      keys(5000).map((key) => {
        const lease = balancer.pick({ key });
        lease?.done();
        return lease?.endpoint.id;
      });
    const before = look();
    endpoints[7]!.available = false;
    look().forEach((id, at) => {
      if (before[at] === endpoints[7]?.id) expect(id).not.toBe(endpoints[7]?.id);
      else expect(id).toBe(before[at]);
    });
    endpoints[7]!.available = true;
    expect(look()).toEqual(before);
  });

  test('a retry of the same key goes elsewhere, and always to the same other', () => {
    const balancer = new LoadBalancer({ strategy, random: seeded(1) });
    balancer.update(plain(9));
    for (const key of keys(200)) {
      const first = balancer.pick({ key });
      const excluded = new Set([first?.endpoint.id ?? '']);
      const [second, again] = [balancer.pick({ key, excluded }), balancer.pick({ key, excluded })];
      expect(second?.endpoint.id).not.toBe(first?.endpoint.id);
      if (strategy !== 'bounded-load') expect(again?.endpoint.id).toBe(second?.endpoint.id);
      for (const lease of [first, second, again]) lease?.done();
    }
  });

  test('without keys the traffic is spread', () => {
    const balancer = new LoadBalancer({ strategy, random: seeded(2) });
    balancer.update(plain(5));
    const counts = ids(5).map(() => 0);
    for (let at = 0; at < 10_000; at++) {
      const lease = balancer.pick();
      const position = ids(5).indexOf(lease?.endpoint.id ?? '');
      counts[position] = (counts[position] ?? NaN) + 1;
      lease?.done();
    }
    expect(Math.min(...counts)).toBeGreaterThan(1600);
  });
});

test.each(['maglev', 'rendezvous', 'bounded-load'] as const)('%s: the keys share by weight', (strategy) => {
  const weights = [1, 2, 3, 10, 0];
  const endpoints = weights.map((weight, at) => ({ id: `e${at}`, weight }));
  expectShares(countsOf(owners(strategy, endpoints, keys(16_000)), endpoints), weights);
});

test('ring-hash: the keys share by weight, as far as its points can tell', () => {
  const weights = [1, 2, 3, 10, 0];
  const endpoints = weights.map((weight, at) => ({ id: `e${at}`, weight }));
  const counts = countsOf(owners('ring-hash', endpoints, keys(32_000)), endpoints);
  counts.forEach((count, at) => {
    const share = (32_000 * (weights[at] ?? NaN)) / 16;
    expect(Math.abs(count - share)).toBeLessThanOrEqual(share * 0.15);
  });
});

describe('bounded load', () => {
  const endpoint = fc.record({
    id: fc.constantFrom(...ids(8)),
    weight: fc.constantFrom(1, 1, 1, 2, 5),
  });
  const step = fc.oneof(
    { weight: 4, arbitrary: fc.record({ pick: fc.constantFrom('hot', 'hot', 'hot', ...keys(6)) }) },
    { weight: 1, arbitrary: fc.record({ done: fc.nat(500) }) },
  );

  test('is never over its bound, whatever the keys: a hot one spills over', () => {
    fc.assert(
      fc.property(
        fc.uniqueArray(endpoint, { minLength: 1, selector: ({ id }) => id }),
        fc.constantFrom(1, 1.1, 1.25, 2),
        fc.array(step, { maxLength: 120 }),
        (endpoints, loadRatio, steps) => {
          const strategy = (tools: Parameters<typeof boundedLoadPolicy>[0]) =>
            boundedLoadPolicy(tools, { loadRatio });
          const balancer = new LoadBalancer<Endpoint>({ strategy, random: seeded(3) });
          balancer.update(endpoints);
          const total = endpoints.reduce((sum, { weight }) => sum + weight, 0);
          const open: Lease<Endpoint>[] = [];
          for (const each of steps) {
            if ('done' in each) {
              open.splice(each.done % (open.length || 1), 1)[0]?.done();
              continue;
            }
            const slots = Math.ceil((open.length + 1) * loadRatio);
            const lease = balancer.pick({ key: each.pick });
            open.push(lease!);
            const { id, weight = 1 } = lease!.endpoint;
            const bound = Math.max(1, Math.ceil((slots * weight) / total));
            expect(open.filter((other) => other.endpoint.id === id).length).toBeLessThanOrEqual(bound);
          }
        },
      ),
      { numRuns: 200 },
    );
  });

  test('a loadRatio that makes no sense is refused', () => {
    expect(() => boundedLoadPolicy({ random: Math.random }, { loadRatio: 0.9 })).toThrow(
      'loadBalancer: loadRatio must be a number from 1 to 100, got 0.9',
    );
  });
});
