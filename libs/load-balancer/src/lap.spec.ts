import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { lapOf } from './lap.ts';

const countsOf = (lap: Uint32Array, length: number) =>
  Array.from({ length }, (_, index) => lap.filter((at) => at === index).length);

describe('lapOf', () => {
  test('equal weights go in order, once each', () => {
    expect([...lapOf([1, 1, 1])]).toEqual([0, 1, 2]);
    expect([...lapOf([7, 7, 7, 7])]).toEqual([0, 1, 2, 3]);
    expect([...lapOf([0.3, 0.3])].slice(0, 4)).toEqual([0, 1, 0, 1]);
  });

  test('spreads the turns of a heavy one', () => {
    expect([...lapOf([5, 1, 1])].join('')).toBe('0001002');
    expect([...lapOf([1, 2])].join('')).toBe('011');
  });

  test('0 gets no turn, all of 0 get one each, nobody gets an empty lap', () => {
    expect([...lapOf([0, 1, 0])]).toEqual([1]);
    expect([...lapOf([0, 0])]).toEqual([0, 1]);
    expect([...lapOf([])]).toEqual([]);
  });

  test('whole numbers that fit are exact', () => {
    fc.assert(
      fc.property(
        fc.array(fc.nat(60), { minLength: 1, maxLength: 17 }),
        fc.integer({ min: 1, max: 1000 }),
        (weights, unit) => {
          fc.pre(weights.some((weight) => weight > 0));
          const counts = countsOf(lapOf(weights.map((weight) => weight * unit)), weights.length);
          // Crosswise, so that everything stays a whole number.
          const first = weights.findIndex((weight) => weight > 0);
          const [count = NaN, weight = NaN] = [counts[first], weights[first]];
          expect(counts.map((each) => each * weight)).toEqual(weights.map((each) => each * count));
        },
      ),
    );
  });

  test('any weights: within one turn of their share, none forgotten, the length bounded', () => {
    const weight = fc.double({ min: 0, max: 1e6, noNaN: true });
    fc.assert(
      fc.property(fc.array(weight, { minLength: 1, maxLength: 300 }), (weights) => {
        const total = weights.reduce((sum, each) => sum + each, 0);
        fc.pre(total > 0);
        const lap = lapOf(weights);
        const longest = Math.max(1024, 8 * weights.length);
        expect(lap.length).toBeLessThanOrEqual(longest + weights.length);
        countsOf(lap, weights.length).forEach((count, at) => {
          const each = weights[at] ?? NaN;
          expect(count > 0).toBe(each > 0);
          if (!weights.every(Number.isInteger)) {
            expect(Math.abs(count - (each / total) * longest)).toBeLessThanOrEqual(1);
          }
        });
      }),
    );
  });

  test('any stretch of a lap has about its share of each', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 20 }), { minLength: 1, maxLength: 10 }), (weights) => {
        const lap = lapOf(weights);
        weights.forEach((_, index) => {
          const turns = lap.filter((at) => at === index).length;
          let seen = 0;
          lap.forEach((at, step) => {
            seen += Number(at === index);
            expect(Math.abs(seen - ((step + 1) / lap.length) * turns)).toBeLessThan(3);
          });
        });
      }),
    );
  });
});
