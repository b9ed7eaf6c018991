import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { InFlight } from './in-flight.ts';
import { slotOf } from './testing/naive-window.ts';
import { trapRejections } from './testing/rejection-trap.ts';

trapRejections();

const limitMs = 100;

/** A plain list of what is under way. */
class NaiveInFlight {
  underWay: number[] = [];

  takeOverdue(now: number): number {
    const before = this.underWay.length;
    this.underWay = this.underWay.filter((at) => slotOf(now, limitMs) - slotOf(at, limitMs) <= 10);
    return before - this.underWay.length;
  }

  end(startedAt: number): boolean {
    const index = this.underWay.indexOf(startedAt);
    if (index >= 0) this.underWay.splice(index, 1);
    return index >= 0;
  }
}

test('counts overdue calls as a list of them does, each once, however seldom somebody looks', () => {
  const step = fc.record({
    waitMs: fc.oneof(fc.constant(0), fc.nat(30), fc.nat(300), fc.constantFrom(99, 100, 101, 109, 110, 1e6)),
    act: fc.oneof(
      { weight: 5, arbitrary: fc.constant('begin') },
      { weight: 4, arbitrary: fc.constant('end') },
      { weight: 3, arbitrary: fc.constant('look') },
    ),
    which: fc.nat(50),
  });
  fc.assert(
    fc.property(
      fc.array(step, { maxLength: 80 }),
      fc.constantFrom(0, -1e6, 12_345.678),
      (script, startAt) => {
        const inFlight = new InFlight(limitMs);
        const naive = new NaiveInFlight();
        const begun: number[] = [];
        let now = startAt;
        for (const { waitMs, act, which } of script) {
          now += waitMs;
          const before = naive.underWay;
          expect(inFlight.takeOverdue(now)).toBe(naive.takeOverdue(now));
          // None before the limit, all at the latest a tenth after it.
          const left = before.filter((at) => naive.underWay.includes(at));
          expect(before.filter((at) => now - at <= limitMs).every((at) => left.includes(at))).toBe(true);
          expect(left.every((at) => now - at < limitMs * 1.1)).toBe(true);
          if (act === 'begin') {
            inFlight.begin(now);
            naive.underWay.push(now);
            begun.push(now);
          } else if (act === 'end' && begun.length > 0) {
            const [startedAt = 0] = begun.splice(which % begun.length, 1);
            expect(inFlight.end(startedAt)).toBe(naive.end(startedAt));
          }
        }
      },
    ),
    { numRuns: 500 },
  );
});

test('a call that ends where none began is none', () => {
  const inFlight = new InFlight(limitMs);
  expect(inFlight.end(0)).toBe(false);
  inFlight.begin(0);
  expect(inFlight.end(0)).toBe(true);
  expect(inFlight.end(0)).toBe(false);
  expect(inFlight.takeOverdue(1_000)).toBe(0);
});

test('an overdue call that ends takes nothing from a younger one in its place of the ring', () => {
  const inFlight = new InFlight(limitMs);
  inFlight.begin(0);
  expect(inFlight.takeOverdue(110)).toBe(1);
  inFlight.begin(110);
  expect(inFlight.end(0)).toBe(false);
  expect(inFlight.end(110)).toBe(true);
});

test('cleared, it knows of nothing under way', () => {
  const inFlight = new InFlight(limitMs);
  inFlight.clear();
  inFlight.begin(0);
  inFlight.begin(50);
  inFlight.clear();
  expect(inFlight.end(50)).toBe(false);
  expect(inFlight.takeOverdue(1_000)).toBe(0);
  inFlight.begin(1_000);
  expect(inFlight.takeOverdue(1_109)).toBe(0);
  expect(inFlight.takeOverdue(1_110)).toBe(1);
});

test('a clock that goes back makes nothing overdue, and loses nothing', () => {
  const inFlight = new InFlight(limitMs);
  inFlight.begin(1_000);
  expect(inFlight.takeOverdue(500)).toBe(0);
  inFlight.begin(500);
  expect(inFlight.takeOverdue(1_110)).toBe(2);
});
