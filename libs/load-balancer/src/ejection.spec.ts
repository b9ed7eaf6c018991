import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { EjectionEvent, EjectionOptions } from './ejection.ts';
import type { Lease } from './lease.ts';
import { LoadBalancer } from './load-balancer.ts';
import type { LoadBalancerOptions } from './load-balancer.ts';
import type { Endpoint } from './endpoint.ts';
import type { Outcome } from './policy.ts';
import { strategies } from './strategies.ts';
import type { StrategyName } from './strategies.ts';
import { seeded } from './testing/seeded.ts';
import { VirtualClock } from './testing/virtual-clock.ts';

const listed = (count: number) => Array.from({ length: count }, (_, at) => ({ id: `e${at}` }));

function balancerOf(count: number, ejection: EjectionOptions, more: Partial<LoadBalancerOptions> = {}) {
  const clock = new VirtualClock();
  const balancer = new LoadBalancer({
    strategy: 'round-robin',
    ejection: { jitterMs: 0, ...ejection },
    clock,
    random: seeded(8),
    ...more,
  });
  balancer.update(listed(count));
  return { balancer, clock };
}

const states = (balancer: LoadBalancer) => balancer.getSnapshot().map(({ state }) => state);

/** A lease on this very endpoint, unless it may not be picked. */
const leaseOn = (balancer: LoadBalancer, id: string): Lease<Endpoint> | undefined => {
  const lease = balancer.pick({ prefer: id });
  if (lease?.endpoint.id === id) return lease;
  lease?.done();
  return undefined;
};

function tell(balancer: LoadBalancer, id: string, outcomes: readonly Outcome[], latencyMs = 5): void {
  for (const outcome of outcomes) leaseOn(balancer, id)?.done({ outcome, latencyMs });
}

const times = (outcome: Outcome, count: number) => Array.from({ length: count }, () => outcome);

describe.each(Object.keys(strategies) as StrategyName[])('%s', (strategy) => {
  test('an ejected endpoint is not picked until its time is up, then by one request at a time', () => {
    const { balancer, clock } = balancerOf(4, { baseMs: 10_000 }, { strategy });
    tell(balancer, 'e2', times('failure', 5));
    expect(states(balancer)[2]).toBe('ejected');
    const ids = () =>
      Array.from({ length: 200 }, (_, at) => {
        const lease = balancer.pick({ key: `k${at}` });
        lease?.done({ outcome: 'success', latencyMs: 5 });
        return lease?.endpoint.id;
      });
    expect(ids()).not.toContain('e2');
    clock.pass(10_000);
    expect(states(balancer)[2]).toBe('half-open');
    const open = Array.from({ length: 200 }, (_, at) => balancer.pick({ key: `k${at}` }));
    expect(open.filter((lease) => lease?.endpoint.id === 'e2').length).toBeLessThanOrEqual(1);
    for (const lease of open) lease?.done({ outcome: 'success', latencyMs: 5 });
  });
});

describe('consecutive failures', () => {
  test('five in a row eject, a success in between starts the row again, ignored ones do not count', () => {
    const { balancer } = balancerOf(3, {});
    tell(balancer, 'e0', [...times('failure', 4), 'success', ...times('failure', 4)]);
    expect(states(balancer)[0]).toBe('available');
    tell(balancer, 'e0', ['ignored', 'failure']);
    expect(states(balancer)[0]).toBe('ejected');
  });

  test('the probe decides: success brings it back through slow start, failure ejects it for longer', () => {
    const { balancer, clock } = balancerOf(3, { baseMs: 10_000 }, { slowStart: { windowMs: 8000 } });
    clock.pass(60_000);
    for (const { id } of listed(3)) tell(balancer, id, ['success']);
    tell(balancer, 'e0', times('failure', 5));
    clock.pass(10_000);
    tell(balancer, 'e0', ['failure']);
    clock.pass(19_999);
    expect(states(balancer)[0]).toBe('ejected');
    clock.pass(1);
    expect(states(balancer)[0]).toBe('half-open');
    tell(balancer, 'e0', ['success']);
    expect(states(balancer)[0]).toBe('warming');
    clock.pass(8000);
    balancer.pick({ prefer: 'e0' })?.done();
    expect(states(balancer)[0]).toBe('available');
  });

  test('each of this is told: out, out again for longer, back', () => {
    const told: EjectionEvent[] = [];
    const { balancer, clock } = balancerOf(
      3,
      { baseMs: 10_000 },
      { onEjection: (event) => told.push(event) },
    );
    tell(balancer, 'e0', times('failure', 6));
    expect(told.splice(0)).toEqual([{ id: 'e0', state: 'ejected', termMs: 10_000 }]);
    // No room for another: it is spared, and nothing is told.
    tell(balancer, 'e1', times('failure', 5));
    clock.pass(10_000);
    tell(balancer, 'e0', ['ignored', 'failure']);
    expect(told.splice(0)).toEqual([{ id: 'e0', state: 'ejected', termMs: 20_000 }]);
    clock.pass(20_000);
    tell(balancer, 'e0', ['success', 'success']);
    expect(told).toEqual([{ id: 'e0', state: 'restored', termMs: 0 }]);
  });

  test('a probe that ends without a verdict makes room for another, one that hangs does so after baseMs', () => {
    const { balancer, clock } = balancerOf(3, { baseMs: 10_000 });
    tell(balancer, 'e0', times('failure', 5));
    clock.pass(10_000);
    const first = leaseOn(balancer, 'e0');
    expect(first).toBeDefined();
    expect(leaseOn(balancer, 'e0')).toBeUndefined();
    first?.done({ outcome: 'ignored' });
    expect(leaseOn(balancer, 'e0')).toBeDefined(); // this one hangs
    expect(leaseOn(balancer, 'e0')).toBeUndefined();
    clock.pass(10_000);
    expect(leaseOn(balancer, 'e0')).toBeDefined();
  });

  test('requests that were sent before the ejection say nothing about the time after it', () => {
    const { balancer, clock } = balancerOf(3, { baseMs: 10_000 });
    const old = leaseOn(balancer, 'e0');
    tell(balancer, 'e0', times('failure', 5));
    clock.pass(10_000);
    old?.done({ outcome: 'success' });
    expect(states(balancer)[0]).toBe('half-open');
  });

  test('at most a tenth is ejected, but one of a few; a lone endpoint never', () => {
    for (const [count, most] of [
      [1, 0],
      [2, 1],
      [9, 1],
      [20, 2],
      [35, 3],
    ] as const) {
      const { balancer } = balancerOf(count, {});
      for (let round = 0; round < 3; round++)
        for (const { id } of listed(count)) tell(balancer, id, times('failure', 5));
      expect(states(balancer).filter((state) => state === 'ejected')).toHaveLength(most);
    }
  });

  test('when all the others are excluded an ejected one is better than none', () => {
    const { balancer } = balancerOf(2, {});
    tell(balancer, 'e0', times('failure', 5));
    expect(balancer.pick({ excluded: new Set(['e1']) })?.endpoint.id).toBe('e0');
  });

  test('an ejection survives refreshes of the list', () => {
    const { balancer } = balancerOf(3, {});
    tell(balancer, 'e0', times('failure', 5));
    balancer.update(listed(4));
    expect(states(balancer)[0]).toBe('ejected');
  });
});

/** One interval of answers by endpoint, then the answer that ends it. */
function interval(
  balancer: LoadBalancer,
  clock: VirtualClock,
  answers: readonly { readonly failures: number; readonly successes: number; readonly latencyMs?: number }[],
): void {
  tell(balancer, 'e0', ['ignored']); // the first answer starts the interval
  answers.forEach(({ failures, successes, latencyMs }, at) => {
    // Mixed, so that no row of five ends it before.
    const mixed = Array.from({ length: failures + successes }, (_, turn) =>
      Math.floor(((turn + 1) * failures) / (failures + successes)) >
      Math.floor((turn * failures) / (failures + successes))
        ? 'failure'
        : 'success',
    ) satisfies Outcome[];
    tell(balancer, `e${at}`, mixed, latencyMs);
  });
  clock.pass(10_000);
  tell(balancer, `e${answers.length - 1}`, ['ignored']);
}

const noRow = { consecutiveFailures: 0 };

describe('comparisons at the end of an interval', () => {
  const good = { failures: 0, successes: 120 };

  test('success rate: below mean - 1.9 standard deviations', () => {
    const { balancer, clock } = balancerOf(6, noRow);
    interval(balancer, clock, [good, good, { failures: 40, successes: 80 }, good, good, good]);
    expect(states(balancer).map((state) => state === 'ejected')).toEqual([
      false,
      false,
      true,
      false,
      false,
      false,
    ]);
  });

  test('nobody is compared with fewer than five endpoints that have enough answers', () => {
    const few = balancerOf(4, noRow);
    interval(few.balancer, few.clock, [good, good, { failures: 60, successes: 60 }, good]);
    const quiet = balancerOf(6, noRow);
    const little = { failures: 0, successes: 20 };
    interval(quiet.balancer, quiet.clock, [
      little,
      little,
      { failures: 20, successes: 0 },
      little,
      little,
      little,
    ]);
    expect([...states(few.balancer), ...states(quiet.balancer)]).not.toContain('ejected');
  });

  test('failure percentage: at least 85 %, also when too many fail for a standard deviation to tell', () => {
    const { balancer, clock } = balancerOf(10, { ...noRow, successRateStdevs: 0, maxEjectedRatio: 1 });
    const bad = { failures: 90, successes: 10 };
    interval(balancer, clock, [
      bad,
      bad,
      bad,
      bad,
      good,
      good,
      good,
      good,
      good,
      { failures: 84, successes: 16 },
    ]);
    expect(states(balancer).filter((state) => state === 'ejected')).toHaveLength(4);
  });

  test('response time: a 95th percentile of more than three times the median of all', () => {
    const { balancer, clock } = balancerOf(6, noRow);
    const at = (latencyMs: number) => ({ ...good, latencyMs });
    interval(balancer, clock, [at(10), at(12), at(9), at(45), at(11), at(25)]);
    expect(states(balancer).map((state) => state === 'ejected')).toEqual([
      false,
      false,
      false,
      true,
      false,
      false,
    ]);
  });

  test('a clean interval takes one ejection off the count', () => {
    const { balancer, clock } = balancerOf(3, { baseMs: 10_000, intervalMs: 50_000 });
    tell(balancer, 'e0', times('failure', 5)); // first: 10 s
    clock.pass(10_000);
    tell(balancer, 'e0', ['success']);
    clock.pass(50_000);
    tell(balancer, 'e1', ['success']); // the interval is over
    tell(balancer, 'e0', times('failure', 5)); // counts as the first again
    clock.pass(10_000);
    expect(states(balancer)[0]).toBe('half-open');
  });
});

/** What consecutive failures and half-open probes should come to, in the simplest words. */
class Model {
  until = new Map<string, number>();
  row = new Map<string, number>();
  terms = new Map<string, number>();

  ended(id: string, outcome: Outcome, startMs: number, nowMs: number, count: number): void {
    const until = this.until.get(id);
    if (outcome === 'ignored') return;
    if (until !== undefined) {
      if (startMs < until) return;
      this.until.delete(id);
      this.row.set(id, 0);
      if (outcome === 'failure') this.eject(id, nowMs);
      return;
    }
    this.row.set(id, outcome === 'failure' ? (this.row.get(id) ?? 0) + 1 : 0);
    if ((this.row.get(id) ?? 0) < 3) return;
    this.row.set(id, 0);
    if (count > 1 && this.until.size < Math.max(1, Math.floor(count / 10))) this.eject(id, nowMs);
  }

  eject(id: string, nowMs: number): void {
    const terms = (this.terms.get(id) ?? 0) + 1;
    this.terms.set(id, terms);
    this.until.set(id, nowMs + Math.min(1000 * terms, 3000));
  }

  stateOf(id: string, nowMs: number): string {
    const until = this.until.get(id);
    if (until === undefined) return 'available';
    return nowMs < until ? 'ejected' : 'half-open';
  }
}

test('behaves as the naive model does, whatever happens in whatever order', () => {
  const step = fc.oneof(
    { weight: 6, arbitrary: fc.record({ on: fc.nat(11) }) },
    {
      weight: 6,
      arbitrary: fc.record({
        end: fc.nat(30),
        outcome: fc.constantFrom<Outcome>('failure', 'failure', 'success', 'ignored'),
      }),
    },
    { weight: 1, arbitrary: fc.record({ pass: fc.constantFrom(1, 400, 1000, 3000) }) },
  );
  fc.assert(
    fc.property(fc.constantFrom(1, 2, 5, 12, 25), fc.array(step, { maxLength: 150 }), (count, steps) => {
      const { balancer, clock } = balancerOf(count, {
        consecutiveFailures: 3,
        baseMs: 1000,
        maxMs: 3000,
        intervalMs: 1e9,
      });
      const model = new Model();
      const open: { lease: Lease<Endpoint>; startMs: number }[] = [];
      for (const each of steps) {
        if ('pass' in each) clock.pass(each.pass);
        else if ('on' in each) {
          const id = `e${each.on % count}`;
          const lease = leaseOn(balancer, id);
          // Alone it is picked in any state, as a last resort.
          if (count > 1 && model.stateOf(id, clock.now()) === 'ejected') expect(lease).toBeUndefined();
          if (model.stateOf(id, clock.now()) === 'available') expect(lease).toBeDefined();
          if (lease) open.push({ lease, startMs: clock.now() });
        } else {
          const [ended] = open.splice(each.end % (open.length || 1), 1);
          if (!ended) continue;
          ended.lease.done({ outcome: each.outcome, latencyMs: 1 });
          model.ended(ended.lease.endpoint.id, each.outcome, ended.startMs, clock.now(), count);
        }
        const expected = listed(count).map(({ id }) => model.stateOf(id, clock.now()));
        expect(states(balancer)).toEqual(expected);
      }
    }),
    { numRuns: 300 },
  );
});

test.each([
  [{ failureRatio: 1.1 }, 'ejection.failureRatio must be a number from 0 to 1, got 1.1'],
  [{ baseMs: 0 }, 'ejection.baseMs must be a number at least 1, got 0'],
  [{ consecutiveFailures: -1 }, 'ejection.consecutiveFailures must be a number at least 0, got -1'],
  [{ intervalMs: NaN }, 'ejection.intervalMs must be a number at least 1, got NaN'],
])('%j is refused', (ejection, message) => {
  expect(() => new LoadBalancer({ ejection })).toThrow(message);
});

describe('Retry-After', () => {
  test('an endpoint that asks for it is left alone, whatever the strategy, and at most 300 s', () => {
    for (const strategy of Object.keys(strategies) as StrategyName[]) {
      const clock = new VirtualClock();
      const balancer = new LoadBalancer({ strategy, clock, random: seeded(9) });
      balancer.update(listed(3));
      balancer.pick({ prefer: 'e1' })?.done({ outcome: 'failure', latencyMs: 1, retryAfterMs: 1e9 });
      const ids = () =>
        Array.from({ length: 100 }, (_, at) => {
          const lease = balancer.pick({ key: `k${at}` });
          lease?.done({ outcome: 'success', latencyMs: 1 });
          return lease?.endpoint.id;
        });
      expect(states(balancer)).toEqual(['available', 'resting', 'available']);
      expect(ids()).not.toContain('e1');
      clock.pass(300_000);
      expect(ids()).toContain('e1');
    }
  });

  test('when all of them rest they are used all the same', () => {
    const balancer = new LoadBalancer({ clock: new VirtualClock() });
    balancer.update(listed(2));
    for (const { id } of listed(2))
      balancer.pick({ prefer: id })?.done({ outcome: 'failure', retryAfterMs: 50 });
    expect(balancer.pick()).toBeDefined();
  });
});
