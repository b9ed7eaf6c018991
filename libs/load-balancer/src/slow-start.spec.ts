import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { LoadBalancer } from './load-balancer.ts';
import type { LoadBalancerOptions } from './load-balancer.ts';
import type { SlowStartOptions } from './slow-start.ts';
import { strategies } from './strategies.ts';
import type { StrategyName } from './strategies.ts';
import { seeded } from './testing/seeded.ts';
import { VirtualClock } from './testing/virtual-clock.ts';

interface Listed {
  readonly id: string;
  available: boolean;
}

const listed = (count: number, first = 0): Listed[] =>
  Array.from({ length: count }, (_, at) => ({ id: `e${first + at}`, available: true }));

/** Part of so many picks that `id` gets; the clock stands still meanwhile. Leases are answered at once. */
function shareOf(balancer: LoadBalancer<Listed>, id: string, picks = 4000): number {
  let found = 0;
  for (let at = 0; at < picks; at++) {
    const lease = balancer.pick({ key: `key-${at}` });
    if (lease?.endpoint.id === id) found++;
    lease?.done({ outcome: 'success', latencyMs: 5 });
  }
  return found / picks;
}

/** Nine warm endpoints, known for long, and one more that has just joined. */
function joined(strategy: StrategyName, slowStart: SlowStartOptions) {
  const clock = new VirtualClock();
  const balancer = new LoadBalancer<Listed>({ strategy, slowStart, clock, random: seeded(6) });
  balancer.update(listed(9));
  clock.pass(1_000_000);
  shareOf(balancer, '', 500);
  balancer.update(listed(10));
  return { balancer, clock };
}

describe.each(Object.keys(strategies) as StrategyName[])('%s', (strategy) => {
  test('a new endpoint gets at most its ramp and 20 %, and its whole share in the end', () => {
    const { balancer, clock } = joined(strategy, { windowMs: 10_000 });
    for (let second = 1; second <= 9; second++) {
      clock.pass(1000);
      const ramp = second / 10;
      const share = shareOf(balancer, 'e9');
      const fair = ramp / (9 + ramp);
      // What the hash of 4000 keys or so many draws adds by chance, at a share of some percent.
      expect(share).toBeLessThanOrEqual(1.2 * fair + 0.012);
    }
    clock.pass(2000);
    expect(shareOf(balancer, 'e9')).toBeGreaterThan(0.06);
  });

  test('one that was unavailable starts slowly as well', () => {
    const clock = new VirtualClock();
    const endpoints = listed(10);
    const balancer = new LoadBalancer<Listed>({
      strategy,
      slowStart: { windowMs: 10_000 },
      clock,
      random: seeded(6),
    });
    balancer.update(endpoints);
    clock.pass(1_000_000);
    shareOf(balancer, 'e3');
    endpoints[3]!.available = false;
    expect(shareOf(balancer, 'e3')).toBe(0);
    endpoints[3]!.available = true;
    expect(shareOf(balancer, 'e3')).toBeLessThanOrEqual(0.025);
    clock.pass(20_000);
    expect(shareOf(balancer, 'e3')).toBeGreaterThan(0.06);
  });
});

describe('slow start', () => {
  const begun = (slowStart: SlowStartOptions, more: Partial<LoadBalancerOptions<Listed>> = {}) => {
    const clock = new VirtualClock();
    const balancer = new LoadBalancer<Listed>({
      strategy: 'random',
      slowStart,
      clock,
      random: seeded(7),
      ...more,
    });
    return { clock, balancer };
  };
  const statesOf = (balancer: LoadBalancer<Listed>) => balancer.getSnapshot().map(({ state }) => state);

  test('the ramp is max(minRatio, (max(t, 1 s) / window) ^ (1 / aggression))', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1500, max: 60_000 }),
        fc.constantFrom(0.5, 1, 2, 4),
        fc.constantFrom(0.05, 0.1, 0.5),
        fc.double({ min: 0, max: 0.999, noNaN: true }),
        (windowMs, aggression, minRatio, part) => {
          const passedMs = part * windowMs;
          const model = Math.max(minRatio, (Math.max(passedMs, 1000) / windowMs) ** (1 / aggression));
          const ratio = rampAt({ windowMs, aggression, minRatio }, passedMs);
          expect(ratio).toBeCloseTo(Math.min(1, model), 9);
        },
      ),
    );
  });

  /** What a policy sees as `warmRatio` of an endpoint that joined so long ago. */
  function rampAt(slowStart: SlowStartOptions, passedMs: number): number {
    let seen = NaN;
    const { balancer, clock } = begun(slowStart, {
      strategy: () => ({
        build: (candidates) => ({
          pick(request) {
            const last = candidates.at(-1);
            if (last !== undefined) {
              request.accepts(last);
              seen = last.warmRatio;
            }
            return candidates[0];
          },
        }),
      }),
    });
    balancer.update(listed(3));
    clock.pass(1_000_000);
    for (let at = 0; at < 5; at++) balancer.pick();
    balancer.update(listed(3));
    balancer.update([...listed(2), ...listed(1, 9)]);
    clock.pass(passedMs);
    balancer.pick();
    return seen;
  }

  test('a refresh of the list does not begin it again', () => {
    const { balancer, clock } = begun({ windowMs: 10_000 });
    balancer.update(listed(9));
    clock.pass(20_000);
    shareOf(balancer, '');
    balancer.update(listed(10));
    clock.pass(9_000);
    balancer.update(listed(10));
    expect(statesOf(balancer).at(-1)).toBe('warming');
    clock.pass(1_001);
    shareOf(balancer, '');
    expect(statesOf(balancer).at(-1)).toBe('available');
  });

  test('when more than half of them are warming nobody is held back: a cold start is even', () => {
    const { balancer, clock } = begun({ windowMs: 10_000 });
    balancer.update(listed(4));
    expect(shareOf(balancer, 'e0')).toBeGreaterThan(0.2);
    clock.pass(20_000);
    shareOf(balancer, '');
    balancer.update(listed(9)); // five of nine are new
    expect(shareOf(balancer, 'e8')).toBeGreaterThan(0.08);
  });

  test('the only endpoint that is left is used, however cold', () => {
    const { balancer, clock } = begun({ windowMs: 10_000 });
    const endpoints = listed(3);
    balancer.update(endpoints);
    clock.pass(20_000);
    shareOf(balancer, '');
    const all = [...endpoints, ...listed(1, 3)];
    balancer.update(all);
    for (const endpoint of endpoints) endpoint.available = false;
    expect(shareOf(balancer, 'e3', 200)).toBe(1);
  });

  test.each([
    [{ windowMs: 0 }, 'slowStart.windowMs must be a number at least 1, got 0'],
    [{ windowMs: 1000, aggression: 0 }, 'slowStart.aggression must be a number from 0.01 to 100, got 0'],
    [{ windowMs: 1000, minRatio: 2 }, 'slowStart.minRatio must be a number from 0.001 to 1, got 2'],
  ])('%j is refused', (slowStart, message) => {
    expect(() => new LoadBalancer({ slowStart })).toThrow(message);
  });
});
