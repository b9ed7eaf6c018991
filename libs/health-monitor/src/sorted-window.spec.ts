import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { SortedWindow } from './sorted-window.ts';

const median = (values: readonly number[]): number => {
  const sorted = [...values].sort((a, b) => a - b);
  return (sorted[(sorted.length - 1) >> 1]! + sorted[sorted.length >> 1]!) / 2;
};
const lower = (values: readonly number[]): number =>
  [...values].sort((a, b) => a - b)[(values.length - 1) >> 1]!;

test('median and median deviation are those of the last numbers', () => {
  const number = fc.oneof(fc.integer({ min: -9, max: 9 }), fc.float({ min: -1000, max: 1000, noNaN: true }));
  fc.assert(
    fc.property(
      fc.array(number, { minLength: 1, maxLength: 90 }),
      fc.integer({ min: 1, max: 40 }),
      (all, size) => {
        const window = new SortedWindow(size);
        all.forEach((value, index) => {
          window.push(value);
          const last = all.slice(Math.max(0, index + 1 - size), index + 1).map(Math.fround);
          expect(window.count).toBe(last.length);
          expect(window.median).toBeCloseTo(median(last), 10);
          const deviations = last.map((one) => Math.abs(one - median(last)));
          expect(window.medianDeviation).toBeCloseTo(lower(deviations), 10);
        });
      },
    ),
  );
});
