import { describe, expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import { LiveQuantile } from './live-quantile.ts';

describe('LiveQuantile', () => {
  test('knows nothing without samples', () => {
    const quantile = new LiveQuantile(0.95, 10);
    expect([quantile.count, quantile.value]).toEqual([0, NaN]);
  });

  test('agrees with the sorted latest samples, within 4.5 %', () => {
    const latency = fc.double({ min: 0.07, max: 1e6, noNaN: true });
    fc.assert(
      fc.property(
        fc.array(latency, { minLength: 1, maxLength: 120 }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        (all, ratio) => {
          const windowSize = 20;
          const quantile = new LiveQuantile(ratio, windowSize);
          for (const [index, ms] of all.entries()) {
            quantile.record(ms);
            // The younger window is never empty after a sample; the one before it is whole.
            const young = (index % windowSize) + 1;
            const recent = all
              .slice(Math.max(0, index + 1 - young - windowSize), index + 1)
              .sort((a, b) => a - b);
            const exact = recent[Math.max(1, Math.ceil(ratio * recent.length)) - 1]!;
            expect(quantile.count).toBe(recent.length);
            expect(Math.abs(quantile.value / exact - 1)).toBeLessThan(0.045);
          }
        },
      ),
    );
  });

  test('forgets: after two windows of quick answers a slow time is over', () => {
    const quantile = new LiveQuantile(0.95, 100);
    for (let index = 0; index < 200; index++) quantile.record(5000);
    for (let index = 0; index < 200; index++) quantile.record(10);
    expect(quantile.value).toBeCloseTo(10, 0);
  });

  test('takes what is outside of its range as its edge', () => {
    const quantile = new LiveQuantile(1, 10);
    quantile.record(0);
    expect(quantile.value).toBeLessThan(0.07);
    quantile.record(Infinity);
    expect(quantile.value).toBeGreaterThan(1e6);
  });
});
