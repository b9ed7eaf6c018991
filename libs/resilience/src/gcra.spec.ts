import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { Gcra } from './gcra.ts';
import type { Rate } from './rate-law.ts';

/** The exact bucket: so many tokens, refilled continuously. Everything that GCRA says must follow from it. */
class Bucket {
  tokens: number;
  rate: Rate;
  #at = 0;

  constructor(rate: Rate) {
    this.rate = rate;
    this.tokens = rate.burst;
  }

  refill(now: number): void {
    this.tokens = Math.min(
      this.rate.burst,
      this.tokens + ((now - this.#at) * this.rate.limit) / this.rate.periodMs,
    );
    this.#at = now;
  }

  waitMs(weight: number): number {
    return Math.max(0, ((weight - this.tokens) * this.rate.periodMs) / this.rate.limit);
  }
}

const rates = fc.record({
  limit: fc.integer({ min: 1, max: 50 }),
  periodMs: fc.integer({ min: 1, max: 5000 }),
  burst: fc.integer({ min: 1, max: 60 }),
});
const steps = fc.array(
  fc.record({
    pass: fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 3000 })),
    weight: fc.integer({ min: 1, max: 8 }),
    act: fc.constantFrom('take', 'take', 'take', 'read', 'drain'),
  }),
  { maxLength: 60 },
);

describe('GCRA', () => {
  test('lets pass what the exact bucket does, and tells the same waits, rests and resets', () => {
    fc.assert(
      fc.property(rates, steps, (rate, schedule) => {
        const law = new Gcra(rate);
        const cells = new Float64Array(1);
        law.clear(cells, 0);
        const bucket = new Bucket(rate);
        let now = 0;
        for (const { pass, weight, act } of schedule) {
          now += pass;
          bucket.refill(now);
          const wait = law.waitMs(cells, 0, weight, now);
          expect(Math.abs(wait - bucket.waitMs(weight))).toBeLessThan(0.002);
          expect(
            Math.abs(
              law.resetMs(cells, 0, now) - ((rate.burst - bucket.tokens) * rate.periodMs) / rate.limit,
            ),
          ).toBeLessThan(0.002);
          const remaining = law.remaining(cells, 0, now);
          expect(remaining).toBeLessThanOrEqual(bucket.tokens + 0.01);
          expect(remaining).toBeGreaterThan(bucket.tokens - 1.01);
          if (act === 'take' && wait === 0) {
            law.take(cells, 0, weight, now);
            bucket.tokens -= weight;
          } else if (act === 'drain') {
            law.drain(cells, 0, now);
            bucket.tokens = Math.min(0, bucket.tokens);
          }
        }
      }),
    );
  });

  test('a pause lets nothing pass for its time, then one permit, and does not shorten a longer wait', () => {
    fc.assert(
      fc.property(
        rates,
        fc.integer({ min: 1, max: 100_000 }),
        fc.integer({ min: 0, max: 60 }),
        (rate, ms, n) => {
          const law = new Gcra(rate);
          const cells = new Float64Array(1);
          law.clear(cells, 0);
          for (let taken = 0; taken < n && law.waitMs(cells, 0, 1, 0) === 0; taken++)
            law.take(cells, 0, 1, 0);
          const before = law.waitMs(cells, 0, 1, 0);
          law.pause(cells, 0, ms, 0);
          expect(law.waitMs(cells, 0, 1, 0)).toBeCloseTo(Math.max(before, ms), 3);
        },
      ),
    );
  });

  test('a change of the rate keeps the permits that are owed, and the end of a pause', () => {
    const law = new Gcra({ limit: 10, periodMs: 1000, burst: 10 });
    const cells = new Float64Array(1);
    law.clear(cells, 0);
    law.take(cells, 0, 6, 0);
    law.change({ limit: 1, periodMs: 1000, burst: 10 }, cells, [0], 0);
    expect([law.capacity, law.remaining(cells, 0, 0), law.resetMs(cells, 0, 0)]).toEqual([10, 4, 6000]);
    law.pause(cells, 0, 30_000, 0);
    law.change({ limit: 10, periodMs: 1000, burst: 10 }, cells, [0], 0);
    expect(law.waitMs(cells, 0, 1, 0)).toBeGreaterThan(29_000);
    expect(law.waitMs(cells, 0, 1, 0)).toBeLessThan(31_000);
  });

  test('gives back, but never more than the burst', () => {
    const law = new Gcra({ limit: 10, periodMs: 1000, burst: 3 });
    const cells = new Float64Array(1);
    law.clear(cells, 0);
    law.take(cells, 0, 3, 0);
    law.giveBack(cells, 0, 2);
    expect(law.remaining(cells, 0, 0)).toBe(2);
    law.giveBack(cells, 0, 9);
    expect(law.remaining(cells, 0, 0)).toBe(3);
  });
});
