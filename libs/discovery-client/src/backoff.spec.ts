import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { Backoff } from './backoff.ts';

test('grows by 1.6 from 0.2 s to 10 s and starts over after a success', () => {
  const backoff = new Backoff(() => 0.5);
  const delays = Array.from({ length: 12 }, () => backoff.next());
  expect(delays).toEqual([200, 320, 512, 819, 1311, 2097, 3355, 5369, 8590, 10_000, 10_000, 10_000]);
  backoff.reset();
  expect(backoff.next()).toBe(200);
});

test('every delay is within 20 % of its step, however long it goes on', () => {
  const numbers = fc.array(fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), {
    minLength: 1,
    maxLength: 2000,
  });
  fc.assert(
    fc.property(numbers, (randoms) => {
      let index = 0;
      const backoff = new Backoff(() => randoms[index] ?? 0);
      for (; index < randoms.length; index += 1) {
        const step = Math.min(10_000, 200 * 1.6 ** index);
        const delay = backoff.next();
        expect(delay).toBeGreaterThanOrEqual(step * 0.8 - 0.5);
        expect(delay).toBeLessThanOrEqual(step * 1.2 + 0.5);
      }
    }),
    { numRuns: 50 },
  );
});

test('waits as long as it was asked to, but never more than a minute for it', () => {
  const backoff = new Backoff(() => 0.5);
  expect(backoff.next(3000)).toBe(3000);
  expect(backoff.next(86_400_000)).toBe(60_000);
  expect(backoff.next(1)).toBe(512);
});
