import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { LoadBalancer } from './load-balancer.ts';
import { strategies } from './strategies.ts';
import type { StrategyName } from './strategies.ts';
import { seeded } from './testing/seeded.ts';
import { VirtualClock } from './testing/virtual-clock.ts';
import { zoneShares } from './zones.ts';
import type { ZoneHealth } from './zones.ts';

const zone = (isLocal: boolean, healthy: number, utilizationRatio?: number): ZoneHealth => ({
  isLocal,
  healthy,
  utilizationRatio,
});

describe('zoneShares', () => {
  test('a fair part of the endpoints at home: everything stays', () => {
    expect(zoneShares([zone(true, 4), zone(false, 4), zone(false, 4)], { name: 'a' })).toEqual([1, 0, 0]);
    expect(zoneShares([zone(true, 9), zone(false, 1)], { name: 'a' })).toEqual([1, 0]);
  });

  test('too few at home: as many stay as they can carry, the rest goes where there are more endpoints than callers', () => {
    const [home, big, small] = zoneShares([zone(true, 2), zone(false, 6), zone(false, 4)], { name: 'a' });
    expect(home).toBeCloseTo(0.5);
    expect(big).toBeCloseTo(0.5);
    expect(small).toBe(0);
  });

  test('with as many callers at home as said, no endpoint of equal zones gets more than its part', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 30 }), { minLength: 2, maxLength: 5 }), (sizes) => {
        fc.pre(sizes.reduce((a, b) => a + b) >= 6);
        // Everybody decides for himself; callers are spread evenly over the zones.
        const load = sizes.map(() => 0);
        sizes.forEach((_, home) => {
          const zones = sizes.map((healthy, at) => zone(at === home, healthy));
          zoneShares(zones, { name: 'home' }).forEach((share, at) => {
            load[at] = (load[at] ?? NaN) + share / sizes.length;
          });
        });
        const total = sizes.reduce((a, b) => a + b);
        sizes.forEach((size, at) => {
          expect(load[at]).toBeLessThanOrEqual(size / total + 1e-9);
        });
      }),
    );
  });

  test('always sums to 1', () => {
    const health = fc.record({
      healthy: fc.nat(9),
      utilizationRatio: fc.option(fc.double({ min: 0, max: 1, noNaN: true }), { nil: undefined }),
    });
    fc.assert(
      fc.property(
        fc.array(health, { minLength: 1, maxLength: 6 }),
        fc.nat(6),
        fc.double({ min: 0, max: 1, noNaN: true }),
        (all, home, callersRatio) => {
          const shares = zoneShares(
            all.map((each, at) => ({ ...each, isLocal: at === home })),
            { name: 'x', callersRatio },
          );
          expect(shares.reduce((a, b) => a + b)).toBeCloseTo(1, 9);
          expect(Math.min(...shares)).toBeGreaterThanOrEqual(0);
        },
      ),
    );
  });

  test('fewer than six endpoints, or none at home: zones do not count', () => {
    expect(zoneShares([zone(true, 2), zone(false, 3)], { name: 'a' })).toEqual([0.4, 0.6]);
    expect(zoneShares([zone(true, 0), zone(false, 9)], { name: 'a' })).toEqual([0, 1]);
    expect(zoneShares([zone(false, 3), zone(false, 9)], { name: 'a' })).toEqual([0.25, 0.75]);
  });

  test('headroom: stays at home until that is busier than abroad by a tenth, with 3 % to hear from the others', () => {
    const [home, near] = zoneShares([zone(true, 3, 0.6), zone(false, 3, 0.5)], { name: 'a' });
    expect([home, near]).toEqual([0.97, expect.closeTo(0.03)]);
    const busy = zoneShares([zone(true, 3, 0.8), zone(false, 3, 0.4), zone(false, 6, 0.7)], { name: 'a' });
    const free = [3 * 0.2, 3 * 0.6, 6 * 0.3];
    const sum = free.reduce((a, b) => a + b);
    busy.forEach((share, at) => {
      expect(share).toBeCloseTo((free[at] ?? NaN) / sum, 9);
    });
  });
});

describe.each(Object.keys(strategies) as StrategyName[])('zones with %s', (strategy) => {
  const endpointsOf = (sizes: Readonly<Record<string, number>>) =>
    Object.entries(sizes).flatMap(([name, size]) =>
      Array.from({ length: size }, (_, at) => ({ id: `${name}${at}`, zone: name, available: true })),
    );
  function atHome(endpoints: ReturnType<typeof endpointsOf>, reports: Readonly<Record<string, number>> = {}) {
    const clock = new VirtualClock();
    const balancer = new LoadBalancer<(typeof endpoints)[number]>({
      strategy,
      zone: { name: 'a' },
      clock,
      random: seeded(10),
    });
    balancer.update(endpoints);
    let home = 0;
    for (let at = 0; at < 4000; at++) {
      clock.pass(1);
      const lease = balancer.pick({ key: `key-${at}` });
      if (at >= 2000) home += Number(lease?.endpoint.zone === 'a');
      const utilizationRatio = reports[lease?.endpoint.zone ?? ''];
      lease?.done({
        outcome: 'success',
        latencyMs: 1,
        ...(utilizationRatio !== undefined && { utilizationRatio }),
      });
    }
    return home / 2000;
  }

  test('stays at home, and goes abroad with what home cannot carry', () => {
    const endpoints = endpointsOf({ a: 4, b: 6 });
    expect(Math.abs(atHome(endpoints) - 0.8)).toBeLessThan(0.06);
    expect(atHome(endpointsOf({ a: 4, b: 4 }))).toBe(1);
    for (const at of [0, 1, 2]) endpoints[at]!.available = false;
    // 1 of 7 healthy ones is at home, where half of the callers are.
    expect(Math.abs(atHome(endpoints) - 2 / 7)).toBeLessThan(0.06);
    endpoints[3]!.available = false;
    expect(atHome(endpoints)).toBe(0);
  });

  test('leaves a busy home by what the endpoints report', () => {
    // Before the others have reported there is nothing to compare with; here they do because home is too small.
    const endpoints = endpointsOf({ a: 3, b: 5 });
    expect(Math.abs(atHome(endpoints, { a: 0.3, b: 0.3 }) - 0.97)).toBeLessThan(0.03);
    expect(atHome(endpoints, { a: 0.9, b: 0.2 })).toBeLessThan(0.15);
  });
});

test.each([
  [{ name: 'a', callersRatio: 2 }, 'zone.callersRatio must be a number from 0 to 1, got 2'],
  [{ name: 'a', minEndpoints: -1 }, 'zone.minEndpoints must be a number at least 0, got -1'],
  [{ name: 'a', headroomRatio: NaN }, 'zone.headroomRatio must be a number from 0 to 1, got NaN'],
])('%j is refused', (options, message) => {
  expect(() => new LoadBalancer({ zone: options })).toThrow(message);
});
