import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { OutcomeSeries, type Availability, type Window } from './outcome-series.ts';

const shapes: Record<Window, [slotMs: number, slots: number]> = {
  '1m': [10_000, 6],
  '5m': [30_000, 10],
  '1h': [300_000, 12],
  '24h': [3_600_000, 24],
  '30d': [86_400_000, 30],
};

type Step =
  | { readonly wait: number; readonly state: Availability; readonly validMs: number }
  | { readonly wait: number; readonly ok: boolean; readonly latencyMs: number };

const wait = fc.oneof(
  fc.integer({ min: 0, max: 20_000 }),
  fc.integer({ min: 0, max: 7_200_000 }),
  fc.integer({ min: 0, max: 40 * 86_400_000 }),
);
const steps = fc.array(
  fc.oneof(
    fc.record({
      wait,
      state: fc.constantFrom<Availability>(true, false, undefined),
      validMs: fc.constantFrom(5_000, 60_000, 4_000_000, Infinity),
    }),
    fc.record({ wait, ok: fc.boolean(), latencyMs: fc.integer({ min: 1, max: 5_000 }) }),
  ),
  { maxLength: 30 },
);

/** Keeps everything, and looks through all of it. */
function naive(all: readonly Step[], start: number, [from, to]: [number, number]) {
  const spans: { from: number; to: number; state: Availability }[] = [];
  const samples: { at: number; ok: boolean; latencyMs: number }[] = [];
  let now = start;
  let last: { at: number; state: Availability; validMs: number } = {
    at: start,
    state: undefined,
    validMs: 0,
  };
  const close = (at: number) => {
    spans.push({ from: last.at, to: Math.min(at, last.at + last.validMs), state: last.state });
  };
  for (const step of all) {
    now += step.wait;
    if ('ok' in step) samples.push({ at: now, ...step });
    else {
      close(now);
      last = { at: now, ...step };
    }
  }
  close(to);
  const overlap = (span: { from: number; to: number }) =>
    Math.max(0, Math.min(span.to, to) - Math.max(span.from, from));
  const sum = (wanted: (state: Availability) => boolean) =>
    spans.filter(({ state }) => wanted(state)).reduce((total, span) => total + overlap(span), 0);
  const inside = samples.filter(({ at }) => at >= from && at <= to);
  const good = inside.filter(({ ok }) => ok);
  return {
    knownMs: sum((state) => state !== undefined),
    upMs: sum((state) => state === true),
    count: inside.length,
    errors: inside.length - good.length,
    latency: good.reduce((total, { latencyMs }) => total + latencyMs, 0),
  };
}

test('windows are right after any gap', () => {
  fc.assert(
    fc.property(steps, wait, fc.integer({ min: 0, max: 1e9 }), (all, later, start) => {
      const series = new OutcomeSeries(start);
      let now = start;
      for (const step of all) {
        now += step.wait;
        if ('ok' in step) series.sample(now, step.ok, step.latencyMs);
        else series.state(now, step.state, step.validMs);
      }
      now += later;
      for (const window of Object.keys(shapes) as Window[]) {
        const [slotMs, slots] = shapes[window];
        const from = (Math.floor(now / slotMs) - slots) * slotMs;
        const truth = naive(all, start, [from, now]);
        const found = series.window(window, now);
        expect(found).toMatchObject({ knownMs: truth.knownMs, count: truth.count, errors: truth.errors });
        expect(found.availability).toBe(truth.knownMs > 0 ? truth.upMs / truth.knownMs : undefined);
        const good = truth.count - truth.errors;
        expect(found.meanMs).toBe(good > 0 ? truth.latency / good : undefined);
      }
    }),
    { numRuns: 300 },
  );
});

test('the slots of the history add up to the window', () => {
  fc.assert(
    fc.property(steps, (all) => {
      const series = new OutcomeSeries(0);
      let now = 0;
      for (const step of all) {
        now += step.wait;
        if ('ok' in step) series.sample(now, step.ok, step.latencyMs);
        else series.state(now, step.state, step.validMs);
      }
      for (const window of Object.keys(shapes) as Window[]) {
        const slots = series.history(window, now);
        const whole = series.window(window, now);
        expect(slots).toHaveLength(shapes[window][1] + 1);
        for (const field of ['knownMs', 'count', 'errors'] as const) {
          expect(slots.reduce((sum, slot) => sum + slot[field], 0)).toBe(whole[field]);
        }
      }
    }),
  );
});

test('time in which nobody knew is left out of availability', () => {
  const series = new OutcomeSeries(0);
  series.state(0, true, 15_000);
  series.state(40_000, false, 15_000);
  // 15 s up, 25 s unknown, 5 s down.
  expect(series.window('1m', 45_000)).toMatchObject({ knownMs: 20_000, availability: 0.75 });
});

test('throughput counts from the start of a young series', () => {
  const series = new OutcomeSeries(1_000_000);
  expect(series.bytes).toBe(0);
  for (let second = 0; second < 10; second++) series.sample(1_000_000 + second * 1000, second > 0, 20);
  expect(series.window('24h', 1_010_000)).toMatchObject({ throughput: 1, errorRate: 0.1, meanMs: 20 });
  expect(series.bytes).toBeLessThan(2_200);
});
