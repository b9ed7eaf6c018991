import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { levelShares } from './levels.ts';
import type { LevelHealth } from './levels.ts';
import { LoadBalancer } from './load-balancer.ts';
import { strategies } from './strategies.ts';
import type { StrategyName } from './strategies.ts';
import { seeded } from './testing/seeded.ts';

/** In words of Envoy's documentation, in percent: health is 140 % of the healthy part, loads are handed down. */
function naive(levels: readonly LevelHealth[]): number[] {
  const health = levels.map(({ healthy, total }) => (total ? Math.min(100, (140 * healthy) / total) : 0));
  const total = Math.min(
    100,
    health.reduce((a, b) => a + b, 0),
  );
  const loads: number[] = [];
  for (const each of health) {
    const before = loads.reduce((a, b) => a + b, 0);
    loads.push(Math.min(100 - before, (each * 100) / total));
  }
  return loads;
}

const level = fc.nat(20).chain((total) => fc.record({ total: fc.constant(total), healthy: fc.nat(total) }));
const levels = fc.array(level, { minLength: 1, maxLength: 5 });

describe('levelShares', () => {
  test('hands down what the naive model hands down', () => {
    fc.assert(
      fc.property(levels, (all) => {
        fc.pre(all.some(({ healthy }) => healthy > 0));
        const shares = levelShares(all, 0);
        naive(all).forEach((load, at) => {
          expect((shares[at]?.ratio ?? NaN) * 100).toBeCloseTo(load, 6);
        });
      }),
    );
  });

  test('the shares sum to 1, also when nobody is healthy', () => {
    fc.assert(
      fc.property(levels, fc.double({ min: 0, max: 1, noNaN: true }), (all, panicRatio) => {
        const sum = levelShares(all, panicRatio).reduce((total, { ratio }) => total + ratio, 0);
        expect(sum).toBeCloseTo(1, 9);
      }),
    );
  });

  test('a level panics when too few are healthy and the levels together cannot carry everything', () => {
    fc.assert(
      fc.property(levels, fc.double({ min: 0, max: 1, noNaN: true }), (all, panicRatio) => {
        fc.pre(all.some(({ healthy }) => healthy > 0));
        const capacity = all.reduce(
          (sum, { healthy, total }) => sum + (total ? Math.min(1, (1.4 * healthy) / total) : 0),
          0,
        );
        levelShares(all, panicRatio).forEach(({ panics }, at) => {
          const { healthy, total } = all[at] ?? { healthy: NaN, total: NaN };
          expect(panics).toBe(capacity < 1 && healthy < panicRatio * total);
        });
      }),
    );
  });

  test('examples of the documentation of Envoy', () => {
    const ratios = (...all: [number, number][]) =>
      levelShares(
        all.map(([healthy, total]) => ({ healthy, total })),
        0.5,
      ).map(({ ratio }) => Math.round(ratio * 100));
    expect(ratios([100, 100], [100, 100])).toEqual([100, 0]);
    expect(ratios([71, 100], [100, 100])).toEqual([99, 1]);
    expect(ratios([50, 100], [50, 100])).toEqual([70, 30]);
    expect(ratios([0, 100], [100, 100])).toEqual([0, 100]);
    expect(ratios([25, 100], [25, 100])).toEqual([50, 50]);
  });
});

describe.each(Object.keys(strategies) as StrategyName[])('priorities and panic with %s', (strategy) => {
  const endpointsOf = (...sizes: number[]) =>
    sizes.flatMap((size, priority) =>
      Array.from({ length: size }, (_, at) => ({ id: `${priority}-${at}`, priority, available: true })),
    );
  function parts(
    endpoints: ReturnType<typeof endpointsOf>,
    panicRatio = 0,
  ): { primary: number; sick: number } {
    const balancer = new LoadBalancer<(typeof endpoints)[number]>({
      strategy,
      panicRatio,
      random: seeded(4),
    });
    balancer.update(endpoints);
    let [primary, sick] = [0, 0];
    for (let at = 0; at < 2000; at++) {
      const lease = balancer.pick();
      primary += Number(lease?.endpoint.priority === 0);
      sick += Number(lease?.endpoint.available === false);
      lease?.done();
    }
    return { primary: primary / 2000, sick: sick / 2000 };
  }

  test('the first level gets everything while it can carry it', () => {
    const endpoints = endpointsOf(4, 4);
    expect(parts(endpoints).primary).toBe(1);
    endpoints[0]!.available = false; // 3 of 4 times 1.4 is more than all
    expect(parts(endpoints)).toEqual({ primary: 1, sick: 0 });
  });

  test('what it cannot carry overflows to the next', () => {
    const endpoints = endpointsOf(4, 4);
    for (const at of [0, 1]) endpoints[at]!.available = false;
    const { primary, sick } = parts(endpoints);
    expect(Math.abs(primary - 0.7)).toBeLessThan(0.05);
    expect(sick).toBe(0);
  });

  test('below the panic ratio all are used; above it, and without it, only the healthy ones', () => {
    const endpoints = endpointsOf(10);
    for (let at = 0; at < 6; at++) endpoints[at]!.available = false;
    expect(parts(endpoints, 0).sick).toBe(0);
    expect(parts(endpoints, 0.3).sick).toBe(0);
    // Adaptive avoids nobody here: no answer has spoken against anybody.
    expect(parts(endpoints, 0.5).sick).toBeGreaterThan(0.4);
  });

  test('no panic while another level can carry the load', () => {
    const endpoints = endpointsOf(4, 4);
    for (let at = 0; at < 3; at++) endpoints[at]!.available = false;
    expect(parts(endpoints, 0.5).sick).toBe(0);
  });
});

test.each([-1, 1.5, NaN])('a priority of %d is refused', (priority) => {
  expect(() => {
    new LoadBalancer().update([{ id: 'a', priority }]);
  }).toThrow(`priority must be a whole number from 0, got ${priority} (endpoint "a")`);
});
