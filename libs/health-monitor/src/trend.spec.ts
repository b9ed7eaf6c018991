import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { reaches, trendOf } from './trend.ts';

const hour = 3_600_000;
const points = (values: readonly number[]) => values.map((value, index) => ({ at: index * hour, value }));
const values = fc.array(fc.integer({ min: -50, max: 50 }), { minLength: 4, maxLength: 12 });

test('the slope is the median of the slopes of all pairs', () => {
  fc.assert(
    fc.property(values, (all) => {
      const slopes: number[] = [];
      for (let a = 0; a < all.length; a++)
        for (let b = a + 1; b < all.length; b++) slopes.push((all[b]! - all[a]!) / (b - a));
      slopes.sort((x, y) => x - y);
      const middle = (slopes[(slopes.length - 1) >> 1]! + slopes[slopes.length >> 1]!) / 2;
      const trend = trendOf(points(all))!;
      expect(trend.slopePerHour).toBeCloseTo(middle, 9);
      expect(trend.low).toBeLessThanOrEqual(trend.slopePerHour + 1e-9);
      expect(trend.high).toBeGreaterThanOrEqual(trend.slopePerHour - 1e-9);
    }),
  );
});

test('p is about as likely as a shuffled series looks as sorted', () => {
  // Ten points: compare with the share of random orders whose S is at least as large.
  const all = [1, 2, 4, 3, 5, 6, 8, 7, 10, 9];
  const s = (order: readonly number[]): number =>
    order.reduce((sum, b, at) => sum + order.slice(0, at).reduce((part, a) => part + Math.sign(b - a), 0), 0);
  let seed = 1;
  const random = () => (seed = (seed * 16_807) % 2_147_483_647) / 2_147_483_647;
  const wavy = [1, 5, 2, 4, 3, 7, 6, 10, 8, 9].map((value, at) => (at % 3 === 0 ? 11 - value : value));
  for (const order of [all, wavy]) {
    let extreme = 0;
    for (let trial = 0; trial < 4000; trial++) {
      const shuffled = order.map((value) => [random(), value] as const).sort((a, b) => a[0] - b[0]);
      if (Math.abs(s(shuffled.map(([, value]) => value))) >= Math.abs(s(order))) extreme++;
    }
    expect(Math.abs(trendOf(points(order))!.p - extreme / 4000)).toBeLessThan(0.03);
  }
});

test('a few wild points bend nothing', () => {
  const line = Array.from({ length: 24 }, (_, index) => 100 + 2 * index + (index % 7 === 3 ? 500 : 0));
  const trend = trendOf(points(line))!;
  expect(trend.slopePerHour).toBeCloseTo(2, 1);
  expect(trend.direction).toBe('rising');
  expect(reaches(trend, 200, 24 * hour)! / hour).toBeCloseTo(26, 0);
  expect(reaches(trend, 50, 24 * hour)).toBe(0);
});

test('no direction, no forecast', () => {
  const trend = trendOf(points([5, 5, 5, 5, 5, 5]))!;
  expect(trend).toMatchObject({ slopePerHour: 0, direction: 'none' });
  expect(reaches(trend, 10, 0)).toBeUndefined();
  expect(trendOf(points([1, 2, 3]))).toBeUndefined();
});
