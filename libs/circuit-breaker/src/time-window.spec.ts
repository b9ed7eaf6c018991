import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { during, NaiveWindow } from './testing/naive-window.ts';
import { trapRejections } from './testing/rejection-trap.ts';
import { TimeWindow } from './time-window.ts';

trapRejections();

const lengthMs = 100;

const counts = ({ calls, failures, slow }: TimeWindow): object => ({ calls, failures, slow });

const steps = fc.array(
  fc.record({
    waitMs: fc.oneof(fc.nat(30), fc.nat(300), fc.constantFrom(0, 1, 99, 100, 101, 109, 110, 111, 1e6, 1e15)),
    act: fc.oneof(
      { weight: 9, arbitrary: fc.constantFrom('record', 'read') },
      { weight: 1, arbitrary: fc.constant('clear') },
    ),
    failed: fc.boolean(),
    slow: fc.boolean(),
  }),
  { maxLength: 80 },
);

test('counts as the naive window does: nothing younger than the window is lost, nothing older than eleven tenths counts', () => {
  fc.assert(
    fc.property(steps, fc.constantFrom(0, -1e6, 12_345.678), (script, startAt) => {
      const window = new TimeWindow(lengthMs);
      const naive = new NaiveWindow(during(lengthMs));
      let now = startAt;
      for (const { waitMs, act, failed, slow } of script) {
        now += waitMs;
        if (act === 'clear') {
          window.clear();
          naive.clear();
        } else if (act === 'record') {
          window.record(failed, slow, now);
          naive.record(failed, slow, now);
        } else window.catchUp(now);
        if (act !== 'clear') expect(counts(window)).toEqual(naive.counts(now));
        window.catchUp(now);
        expect(window.calls).toBeGreaterThanOrEqual(naive.youngerThan(lengthMs, now));
        expect(window.calls).toBeLessThanOrEqual(naive.youngerThan(lengthMs * 1.1, now));
      }
    }),
    { numRuns: 500 },
  );
});

test('the bounds are exact: a call counts at one window and is gone at eleven tenths', () => {
  const window = new TimeWindow(lengthMs);
  window.record(true, true, 1_000);
  window.catchUp(1_109.999);
  expect(counts(window)).toEqual({ calls: 1, failures: 1, slow: 1 });
  window.catchUp(1_110);
  expect(counts(window)).toEqual({ calls: 0, failures: 0, slow: 0 });

  window.record(false, false, 2_009);
  window.catchUp(2_109);
  expect(window.calls).toBe(1);
  window.catchUp(2_110);
  expect(window.calls).toBe(0);
});

test('B11, goal 12: after an hour without traffic nothing of it is left, whatever the gap', () => {
  for (const gapMs of [110, 111, 220, 3_600_000, 3_600_005, 1e15]) {
    const window = new TimeWindow(lengthMs);
    for (let call = 0; call < 9; call++) window.record(true, false, call * 10);
    window.record(true, false, 80 + gapMs);
    expect(counts(window)).toEqual({ calls: 1, failures: 1, slow: 0 });
  }
});

test('a clock that goes back loses nothing and moves nothing', () => {
  const window = new TimeWindow(lengthMs);
  window.record(true, false, 1_000);
  window.record(true, false, 500);
  for (const now of [500, 1_000, 1_099]) {
    window.catchUp(now);
    expect(window.calls).toBe(2);
  }
  window.catchUp(1_110);
  expect(window.calls).toBe(0);
});

test('a window that is emptied starts wherever the clock stands', () => {
  const window = new TimeWindow(lengthMs);
  window.record(true, true, 1_000);
  window.clear();
  window.record(false, true, 700);
  window.catchUp(809);
  expect(counts(window)).toEqual({ calls: 1, failures: 0, slow: 1 });
  window.catchUp(810);
  expect(window.calls).toBe(0);
});

test('two windows share nothing', () => {
  const window = new TimeWindow(lengthMs);
  window.record(true, false, 0);
  const other = new TimeWindow(lengthMs);
  other.catchUp(0);
  expect(other.calls).toBe(0);
});
