/** Which endpoints belong: filters, subsets, sticky sessions, and policies of one's own. */
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { Endpoint } from './endpoint.ts';
import { allOf, inZone, isAvailable, ofVersion, withMetadata } from './filters.ts';
import { LoadBalancer } from './load-balancer.ts';
import type { LeaseResult, PolicyFactory, Tracker } from './policy.ts';
import { strategies } from './strategies.ts';
import type { StrategyName } from './strategies.ts';
import { subsetOf } from './subset.ts';
import { seeded } from './testing/seeded.ts';
import { twoChoices } from './two-choices.ts';

const names = Object.keys(strategies) as StrategyName[];
const endpoints: Endpoint[] = [
  { id: 'a', zone: 'eu', version: '2.7.1', metadata: { tier: 'gold' } },
  { id: 'b', zone: 'eu', version: '2.70.0', available: false },
  { id: 'c', zone: 'us', version: '3.0.0', metadata: { tier: 'gold', cost: 2 } },
  { id: 'd' },
];
const ids = (list: readonly Endpoint[]) => list.map(({ id }) => id).join('');

describe('filters', () => {
  test.each([
    ['zone', inZone('eu', 'ap'), 'ab'],
    ['version, by its parts', ofVersion('2.7'), 'a'],
    ['major version', ofVersion('2'), 'ab'],
    ['metadata, all of it', withMetadata({ tier: 'gold', cost: 2 }), 'c'],
    ['no metadata asked for', withMetadata({}), 'abcd'],
    ['health', isAvailable, 'acd'],
    ['all of several', allOf(inZone('eu'), isAvailable), 'a'],
    ['all of none', allOf(), 'abcd'],
    ['one of your own', ({ id }: Endpoint) => id > 'b', 'cd'],
  ])('by %s', (_, filter, expected) => {
    expect(ids(endpoints.filter(filter))).toBe(expected);
  });

  test('the filter of a balancer is asked at update, that of a pick binds every pick, in panic too', () => {
    const balancer = new LoadBalancer({ strategy: 'random', filter: inZone('eu', 'us'), random: seeded(1) });
    balancer.update(endpoints);
    expect(ids(balancer.getSnapshot() as unknown as Endpoint[])).toBe('abc');
    for (let at = 0; at < 50; at++) {
      expect(balancer.pick({ only: inZone('us') })?.endpoint.id).toBe('c');
      expect(balancer.pick({ only: ({ id }) => id === 'b' })?.endpoint.id).toBe('b');
    }
    expect(balancer.pick({ only: () => false })).toBeUndefined();
  });
});

describe.each(names)('%s', (strategy) => {
  test('a preferred endpoint is taken while it may be picked', () => {
    const balancer = new LoadBalancer<Endpoint>({ strategy, random: seeded(2) });
    balancer.update(endpoints);
    for (let at = 0; at < 20; at++) expect(balancer.pick({ prefer: 'c' })?.endpoint.id).toBe('c');
    expect(balancer.pick({ prefer: 'b' })?.endpoint.id).not.toBe('b'); // unavailable
    expect(balancer.pick({ prefer: 'gone' })).toBeDefined();
    expect(balancer.pick({ prefer: 'c', excluded: new Set(['c']) })?.endpoint.id).not.toBe('c');
    expect(balancer.pick({ prefer: 'c', only: inZone('eu') })?.endpoint.id).toBe('a');
  });

  test('a retry never gets an endpoint that it has tried, down to the last', () => {
    const balancer = new LoadBalancer<Endpoint>({
      strategy,
      random: seeded(3),
      slowStart: { windowMs: 1000 },
      ejection: {},
    });
    balancer.update(endpoints);
    for (let call = 0; call < 30; call++) {
      const excluded = new Set<string>();
      for (let attempt = 0; attempt < endpoints.length; attempt++) {
        const lease = balancer.pick({ excluded, key: `call-${call}` });
        expect(excluded.has(lease?.endpoint.id ?? '')).toBe(false);
        excluded.add(lease?.endpoint.id ?? '');
        lease?.done({ outcome: 'failure', latencyMs: 1 });
      }
      expect(balancer.pick({ excluded })).toBeUndefined();
    }
  });

  test('update() while leases are open, and a lease that is disposed of', () => {
    const balancer = new LoadBalancer<Endpoint>({ strategy, random: seeded(4) });
    balancer.update([{ id: 'a' }]);
    {
      using lease = balancer.pick();
      expect(lease?.endpoint.id).toBe('a');
      balancer.update([{ id: 'a' }, { id: 'z' }]);
      expect(balancer.getSnapshot()[0]?.inflight).toBe(1);
    }
    expect(balancer.getSnapshot()[0]?.inflight).toBe(0);
  });
});

describe('subsets', () => {
  const many = (count: number) => Array.from({ length: count }, (_, at) => ({ id: `e${at}` }));

  test('each caller has the same few always, whatever the order', () => {
    const chosen = subsetOf(many(100), { clientId: 'caller-1' });
    expect(chosen).toHaveLength(12);
    expect(ids(subsetOf(many(100).toReversed(), { clientId: 'caller-1' }).toReversed())).toBe(ids(chosen));
    expect(subsetOf(many(5), { clientId: 'x' })).toHaveLength(5);
  });

  test('one that comes or goes changes at most one of a caller', () => {
    fc.assert(
      fc.property(fc.string(), fc.integer({ min: 1, max: 20 }), fc.nat(59), (clientId, size, gone) => {
        const before = subsetOf(many(60), { clientId, size });
        const after = subsetOf(many(60).toSpliced(gone, 1), { clientId, size });
        const kept = before.filter(({ id }) => after.some((other) => other.id === id));
        expect(kept.length).toBeGreaterThanOrEqual(before.length - 1);
        expect(after).toHaveLength(size);
      }),
    );
  });

  test('many callers use all endpoints alike', () => {
    const uses = new Map<string, number>();
    for (let caller = 0; caller < 1000; caller++)
      for (const { id } of subsetOf(many(50), { clientId: `caller-${caller}` }))
        uses.set(id, (uses.get(id) ?? 0) + 1);
    for (const count of uses.values()) expect(Math.abs(count - 240)).toBeLessThan(70); // 5 sigma
    expect(uses.size).toBe(50);
  });

  test('a balancer picks from its subset only; a size that makes no sense is refused', () => {
    const balancer = new LoadBalancer({ strategy: 'round-robin', subset: { clientId: 'c', size: 3 } });
    balancer.update(many(40));
    expect(new Set(Array.from({ length: 60 }, () => balancer.pick()?.endpoint.id)).size).toBe(3);
    expect(() => new LoadBalancer({ subset: { clientId: 'c', size: 0 } })).toThrow(
      'subset.size must be a number at least 1, got 0',
    );
  });
});

describe('policies of your own', () => {
  test('in three lines: the first of the list that may be picked', () => {
    const first: PolicyFactory = () => ({
      build: (candidates) => ({ pick: (request) => candidates.find((each) => request.accepts(each)) }),
    });
    const balancer = new LoadBalancer<Endpoint>({ strategy: first });
    balancer.update(endpoints.toReversed());
    expect(balancer.pick()?.endpoint.id).toBe('d');
    expect(balancer.pick({ excluded: new Set(['d']) })?.endpoint.id).toBe('c');
  });

  test('with figures that are kept by id over updates and told every end', () => {
    class Failures implements Tracker {
      count = 0;
      ended({ outcome }: LeaseResult): void {
        if (outcome === 'failure') this.count++;
      }
    }
    const steadiest: PolicyFactory<Failures> = ({ random }) => ({
      track: () => new Failures(),
      build: (candidates) => twoChoices(candidates, random, ({ tracker }) => tracker.count),
    });
    const balancer = new LoadBalancer({ strategy: steadiest, random: seeded(5) });
    balancer.update([{ id: 'a' }, { id: 'b' }]);
    balancer.pick({ prefer: 'a' })?.done({ outcome: 'failure' });
    balancer.update([{ id: 'b' }, { id: 'a' }]);
    for (let at = 0; at < 20; at++) expect(balancer.pick()?.endpoint.id).toBe('b');
  });

  test('a tracking policy sees the age of the oldest open request, and times leases that nobody timed', () => {
    let now = 100;
    const seen: number[] = [];
    const told: LeaseResult[] = [];
    const strategy: PolicyFactory = () => ({
      track: () => ({ ended: (result) => told.push(result) }),
      build: (candidates) => ({
        pick: () => {
          seen.push(candidates[0]?.oldestStartMs ?? NaN);
          return candidates[0];
        },
      }),
    });
    const balancer = new LoadBalancer({ strategy, clock: { now: () => now } });
    balancer.update([{ id: 'a' }]);
    const first = balancer.pick();
    now = 110;
    const second = balancer.pick();
    now = 120;
    balancer.pick();
    first?.done({ outcome: 'success' });
    balancer.pick();
    second?.done({ outcome: 'failure', latencyMs: 3 });
    balancer.pick();
    expect(seen).toEqual([Infinity, 100, 100, 110, 120]);
    expect(told.map(({ latencyMs }) => latencyMs)).toEqual([20, 3]);
  });
});
