import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { RollingWindow } from './rolling-window.ts';

/** Remembers every event and counts them anew: in slots, and bare. */
class NaiveWindow {
  readonly #lengthMs: number;
  #times: number[] = [];

  constructor(lengthMs: number) {
    this.#lengthMs = lengthMs;
  }

  record(now: number): void {
    this.#times.push(now);
  }

  clear(): void {
    this.#times = [];
  }

  count(now: number): number {
    const slot = (time: number): number => Math.floor(time / (this.#lengthMs / 10));
    return this.#times.filter((time) => slot(now) - slot(time) <= 10).length;
  }

  youngerThan(ageMs: number, now: number): number {
    return this.#times.filter((time) => now - time < ageMs).length;
  }
}

const steps = fc.array(
  fc.record({
    waitMs: fc.oneof(fc.nat(30), fc.nat(300), fc.constantFrom(0, 1, 99, 100, 101, 109, 110, 111, 1e6, 1e15)),
    act: fc.constantFrom('record', 'record', 'record', 'read', 'clear'),
  }),
  { maxLength: 80 },
);

test('counts as the naive window does: nothing younger than the window is lost, nothing older than eleven tenths counts', () => {
  fc.assert(
    fc.property(steps, fc.constantFrom(0, -1e6, 12_345.678), (script, startAt) => {
      const lengthMs = 100;
      const window = new RollingWindow(lengthMs);
      const naive = new NaiveWindow(lengthMs);
      let now = startAt;
      for (const { waitMs, act } of script) {
        now += waitMs;
        if (act === 'clear') {
          window.clear();
          naive.clear();
        } else if (act === 'record') {
          naive.record(now);
          expect(window.record(now)).toBe(naive.count(now));
        }
        const held = window.count(now);
        expect(held).toBe(naive.count(now));
        expect(held).toBeGreaterThanOrEqual(naive.youngerThan(lengthMs, now));
        expect(held).toBeLessThanOrEqual(naive.youngerThan(lengthMs * 1.1, now));
      }
    }),
    { numRuns: 1_000 },
  );
});

test('a clock that goes back loses nothing and moves nothing', () => {
  const window = new RollingWindow(100);
  window.record(1_000);
  expect(window.record(500)).toBe(2);
  expect(window.count(1_000)).toBe(2);
  expect(window.count(1_099)).toBe(2);
  expect(window.count(1_110)).toBe(0);
});

test('two windows share nothing', () => {
  const window = new RollingWindow(100);
  window.record(0);
  expect(new RollingWindow(100).count(0)).toBe(0);
});
