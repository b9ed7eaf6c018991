import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { slotsOfPeriod, SlidingWindow } from './sliding-window.ts';

function cellOf(law: SlidingWindow): Float64Array {
  const cells = new Float64Array(law.width);
  law.clear(cells, 0);
  return cells;
}

/** Permits taken later than `since`. */
const takenSince = (log: readonly { at: number; weight: number }[], since: number): number =>
  log.reduce((sum, { at, weight }) => sum + (at > since ? weight : 0), 0);

const rates = fc.record({
  limit: fc.integer({ min: 1, max: 20 }),
  periodMs: fc.oneof(fc.integer({ min: 10, max: 5000 }), fc.double({ min: 7, max: 1000, noNaN: true })),
});
const arrivals = fc.array(
  fc.record({
    pass: fc.oneof(fc.constant(0), fc.double({ min: 0, max: 1500, noNaN: true })),
    weight: fc.integer({ min: 1, max: 5 }),
  }),
  { maxLength: 80 },
);

describe('sliding window', () => {
  test('against the log of all calls: never more than the limit in any period, and no refusal that a tenth longer period would not give', () => {
    fc.assert(
      fc.property(rates, arrivals, ({ limit, periodMs }, schedule) => {
        const law = new SlidingWindow({ limit, periodMs, burst: limit });
        const cells = cellOf(law);
        const log: { at: number; weight: number }[] = [];
        let now = 0;
        for (const { pass, weight } of schedule) {
          now += pass;
          if (weight > limit) continue;
          if (law.waitMs(cells, 0, weight, now) === 0) {
            law.take(cells, 0, weight, now);
            log.push({ at: now, weight });
            expect(takenSince(log, now - periodMs + 0.002)).toBeLessThanOrEqual(limit);
          } else {
            const longer = periodMs * (1 + 1 / slotsOfPeriod) + 0.002;
            expect(takenSince(log, now - longer) + weight).toBeGreaterThan(limit);
          }
        }
      }),
    );
  });

  test('tells a wait after which it lets pass, and before which it does not', () => {
    fc.assert(
      fc.property(rates, arrivals, ({ limit, periodMs }, schedule) => {
        const law = new SlidingWindow({ limit, periodMs, burst: limit });
        const cells = cellOf(law);
        let now = 0;
        for (const { pass, weight: any } of schedule) {
          now += pass;
          const weight = Math.min(any, limit);
          const wait = law.waitMs(cells, 0, weight, now);
          expect(law.waitMs(cells.slice(), 0, weight, now + wait)).toBe(0);
          if (wait > 0.01) expect(law.waitMs(cells.slice(), 0, weight, now + wait - 0.01)).toBeGreaterThan(0);
          if (wait === 0) law.take(cells, 0, weight, now);
          const reset = law.resetMs(cells, 0, now);
          expect(law.remaining(cells.slice(), 0, now + reset)).toBe(limit);
          if (reset > 0.01) expect(law.remaining(cells.slice(), 0, now + reset - 0.01)).toBeLessThan(limit);
        }
      }),
    );
  });

  test('the counter of two windows lets twice the limit pass around the end of a window; this one does not', () => {
    const law = new SlidingWindow({ limit: 100, periodMs: 1000, burst: 100 });
    const cells = cellOf(law);
    law.take(cells, 0, 100, 999);
    let passed = 0;
    for (let now = 1000; now < 1999; now++) {
      if (law.waitMs(cells, 0, 1, now) > 0) continue;
      law.take(cells, 0, 1, now);
      passed++;
    }
    expect(passed).toBe(0);
    expect(law.waitMs(cells, 0, 1, 1999)).toBe(1);
  });

  test('pauses, drains, gives back', () => {
    const law = new SlidingWindow({ limit: 10, periodMs: 1000, burst: 10 });
    const cells = cellOf(law);
    law.take(cells, 0, 4, 50);
    law.pause(cells, 0, 500, 50);
    expect([law.waitMs(cells, 0, 1, 50), law.remaining(cells, 0, 50)]).toEqual([550, 0]);
    expect([law.waitMs(cells, 0, 1, 600), law.remaining(cells, 0, 600)]).toEqual([0, 6]);
    law.drain(cells, 0, 600);
    expect(law.remaining(cells, 0, 600)).toBe(0);
    law.giveBack(cells, 0, 7, 600);
    expect(law.remaining(cells, 0, 600)).toBe(7);
    law.giveBack(cells, 0, 99, 600);
    expect(law.remaining(cells, 0, 600)).toBe(10);
    law.pause(cells, 0, 60_000, 600);
    expect(law.waitMs(cells, 0, 1, 600)).toBe(60_000);
  });

  test('after any gap, however long, nothing old counts (B11: a window kept failures of an hour ago)', () => {
    const law = new SlidingWindow({ limit: 10, periodMs: 1000, burst: 10 });
    for (const gap of [1101, 1500, 5000, 3_600_000]) {
      const cells = cellOf(law);
      law.take(cells, 0, 10, 5);
      expect(law.remaining(cells, 0, 5 + gap)).toBe(10);
    }
  });

  test('a change keeps what was counted: at least as long as before', () => {
    const law = new SlidingWindow({ limit: 10, periodMs: 1000, burst: 10 });
    const cells = cellOf(law);
    law.take(cells, 0, 4, 0);
    law.change({ limit: 5, periodMs: 1000, burst: 5 }, cells, [0], 0);
    expect(law.remaining(cells, 0, 0)).toBe(1);
    law.change({ limit: 5, periodMs: 2000, burst: 5 }, cells, [0], 500);
    expect([law.remaining(cells, 0, 2300), law.remaining(cells, 0, 2600)]).toEqual([1, 5]);
    law.pause(cells, 0, 10_000, 2600);
    law.change({ limit: 5, periodMs: 500, burst: 5 }, cells, [0], 2600);
    expect(law.waitMs(cells, 0, 1, 2600)).toBe(10_000);
  });

  test('for more than fits at once the wait tells about how long they take one by one', () => {
    const law = new SlidingWindow({ limit: 10, periodMs: 1000, burst: 10 });
    const cells = cellOf(law);
    law.take(cells, 0, 10, 0);
    expect(law.waitMs(cells, 0, 10, 0)).toBe(1100);
    expect(law.waitMs(cells, 0, 11, 0)).toBe(2200);
  });
});
