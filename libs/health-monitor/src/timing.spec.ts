import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { hashRatio } from './hash.ts';
import { afterResult, unknown } from './standing.ts';
import { delayAfter, readTiming } from './timing.ts';

const timing = readTiming({ idleIntervalMs: 60_000 });
const after = (...statuses: ('up' | 'down' | 'degraded')[]) =>
  statuses.reduce((standing, status) => afterResult(standing, { status }, 0, timing), unknown(0));
const delay = (standing: ReturnType<typeof after>, more = {}) =>
  delayAfter(timing, { standing, inconclusive: false, idle: false, roundMs: 0, random: 0, ...more });

test('the interval, the edge interval while a change is in the air, the idle interval without traffic', () => {
  expect(delay(after('up'))).toBe(10_000);
  expect(delay(after('up'), { idle: true })).toBe(60_000);
  expect(delay(after('up', 'down'))).toBe(1000);
  expect(delay(after('up', 'down'), { idle: true })).toBe(1000);
  expect(delay(after('up'), { inconclusive: true })).toBe(1000);
  expect(delay(after('down', 'up'))).toBe(1000);
});

test('of a crowd each is asked less often, but as soon as ever while a change is in the air', () => {
  expect(delay(after('up'), { roundMs: 50_000 })).toBe(50_000);
  expect(delay(after('up', 'down'), { roundMs: 50_000 })).toBe(1000);
  const longDown = after('up', ...Array<'down'>(30).fill('down'));
  expect(delay(longDown, { roundMs: 50_000 })).toBe(50_000);
});

test('who stays down is asked less and less, at last as often as any other', () => {
  const delays = Array.from({ length: 8 }, (_, more) =>
    delay(after('up', 'down', 'down', 'down', ...Array<'down'>(more).fill('down'))),
  );
  expect(delays).toEqual([1000, 2000, 4000, 8000, 10_000, 10_000, 10_000, 10_000]);
});

test('jitter makes it sooner, never later', () => {
  fc.assert(
    fc.property(fc.double({ min: 0, max: 1, noNaN: true }), (random) => {
      const found = delay(after('up'), { random });
      expect(found).toBeLessThanOrEqual(10_000);
      expect(found).toBeGreaterThanOrEqual(9000);
    }),
  );
});

test('first checks are spread evenly', () => {
  const tenths = Array<number>(10).fill(0);
  for (let index = 0; index < 10_000; index++) tenths[Math.floor(hashRatio(`user-service-${index}`) * 10)]!++;
  for (const share of tenths) expect(Math.abs(share - 1000)).toBeLessThan(150);
});
