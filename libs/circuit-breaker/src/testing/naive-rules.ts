import fc from 'fast-check';
import { consecutiveFailures } from '../consecutive-failures.ts';
import type { Outcome } from '../gate.ts';
import { successAverage } from '../success-average.ts';
import { any, type TripCounts, type TripRule } from '../trip-rule.ts';
import { failureCount, failureRate, slowCallRate, windowRule, type WindowOptions } from '../window-rule.ts';
import { during, latest, NaiveWindow, slotOf } from './naive-window.ts';

/** A rule once more: told of everything, and counting anew each time. */
export interface NaiveRule {
  /** Calls that take longer are slow. */
  readonly slowAfterMs: number;
  begin(now: number): boolean;
  end(outcome: Outcome, now: number, startedAt: number): boolean;
  failures(now: number): number;
  clear(): void;
  /** All that its next answers depend on, with ages for times. */
  memory(now: number): unknown;
}

/** A rule and its naive twin. */
export interface TwinRule {
  readonly text: string;
  readonly rule: TripRule;
  readonly naive: () => NaiveRule;
}

const extentOf = ({ windowMs = 30_000, windowCalls }: WindowOptions): NaiveWindow =>
  new NaiveWindow(windowCalls === undefined ? during(windowMs) : latest(windowCalls));

/** Asked after each success and failure. */
class NaiveWindowRule implements NaiveRule {
  readonly slowAfterMs = Infinity;
  readonly #window: NaiveWindow;
  readonly #asksSuccesses: boolean;
  readonly #trips: (counts: TripCounts) => boolean;

  constructor(window: WindowOptions, asksSuccesses: boolean, trips: (counts: TripCounts) => boolean) {
    this.#window = extentOf(window);
    this.#asksSuccesses = asksSuccesses;
    this.#trips = trips;
  }

  begin(): boolean {
    return false;
  }

  end(outcome: Outcome, now: number): boolean {
    if (outcome === 'ignored') return false;
    this.#window.record(outcome === 'failure', false, now);
    return (outcome === 'failure' || this.#asksSuccesses) && this.#trips(this.#window.counts(now));
  }

  failures(now: number): number {
    return this.#window.counts(now).failures;
  }

  clear(): void {
    this.#window.clear();
  }

  memory(now: number): unknown {
    return this.#window.memory(now);
  }
}

/** Follows each call from its beginning, and records those that are overdue whenever somebody looks; asked whenever something was recorded. */
export class NaiveSlowRule implements NaiveRule {
  readonly slowAfterMs: number;
  readonly #window: NaiveWindow;
  readonly #trips: (counts: TripCounts) => boolean;
  #underWay: number[] = [];
  #changed = false;

  constructor(window: WindowOptions, slowAfterMs: number, trips: (counts: TripCounts) => boolean) {
    this.#window = extentOf(window);
    this.slowAfterMs = slowAfterMs;
    this.#trips = trips;
  }

  begin(now: number): boolean {
    this.#look(now);
    this.#underWay.push(now);
    return this.#asks(now);
  }

  end(outcome: Outcome, now: number, startedAt: number): boolean {
    this.#look(now);
    if (this.#leave(startedAt) && outcome !== 'ignored') {
      this.#record(outcome === 'failure', now - startedAt > this.slowAfterMs, now);
    }
    return this.#asks(now);
  }

  failures(now: number): number {
    this.#look(now);
    return this.#window.counts(now).failures;
  }

  clear(): void {
    this.#window.clear();
    this.#underWay = [];
    this.#changed = false;
  }

  memory(now: number): unknown {
    return [this.#window.memory(now), this.#underWay.map((at) => now - at), this.#changed];
  }

  #look(now: number): void {
    const slot = (time: number): number => slotOf(time, this.slowAfterMs);
    for (const startedAt of this.#underWay.filter((at) => slot(now) - slot(at) > 10)) {
      this.#leave(startedAt);
      this.#record(false, true, now);
    }
  }

  #leave(startedAt: number): boolean {
    const index = this.#underWay.indexOf(startedAt);
    if (index >= 0) this.#underWay.splice(index, 1);
    return index >= 0;
  }

  #record(failed: boolean, slow: boolean, now: number): void {
    this.#window.record(failed, slow, now);
    this.#changed = true;
  }

  #asks(now: number): boolean {
    const changed = this.#changed;
    this.#changed = false;
    return changed && this.#trips(this.#window.counts(now));
  }
}

/** Keeps every outcome and works out its answer from all of them. */
class NaiveHistoryRule implements NaiveRule {
  readonly slowAfterMs = Infinity;
  readonly #trips: (history: readonly Ended[], now: number) => boolean;
  readonly #failures: (history: readonly Ended[], now: number) => number;
  #history: Ended[] = [];

  constructor(
    trips: (history: readonly Ended[], now: number) => boolean,
    failures: (history: readonly Ended[], now: number) => number,
  ) {
    this.#trips = trips;
    this.#failures = failures;
  }

  begin(): boolean {
    return false;
  }

  end(outcome: Outcome, at: number): boolean {
    if (outcome === 'ignored') return false;
    this.#history.push({ failed: outcome === 'failure', at });
    return this.#trips(this.#history, at);
  }

  failures(now: number): number {
    return this.#failures(this.#history, now);
  }

  clear(): void {
    this.#history = [];
  }

  memory(now: number): unknown {
    return this.#history.map(({ failed, at }) => [failed, now - at]);
  }
}

interface Ended {
  readonly failed: boolean;
  readonly at: number;
}

const streak = (history: readonly Ended[]): number =>
  history.length - 1 - history.findLastIndex(({ failed }) => !failed);

/** So many failures in a row. */
export const naiveStreak = (most: number): NaiveRule =>
  new NaiveHistoryRule((history) => streak(history) >= most, streak);

/** The formula of the average, over all calls. */
const weight = (history: readonly Ended[], now: number, decayMs: number): number =>
  history.reduce((sum, { at }) => sum + Math.exp((at - now) / decayMs), 0);

const failedOf = (history: readonly Ended[]): readonly Ended[] => history.filter(({ failed }) => failed);

export class NaiveAny implements NaiveRule {
  readonly #parts: readonly NaiveRule[];
  readonly slowAfterMs: number;

  constructor(parts: readonly NaiveRule[]) {
    this.#parts = parts;
    this.slowAfterMs = Math.min(...parts.map((part) => part.slowAfterMs));
  }

  begin(now: number): boolean {
    return this.#parts.map((part) => part.begin(now)).includes(true);
  }

  end(outcome: Outcome, now: number, startedAt: number): boolean {
    return this.#parts.map((part) => part.end(outcome, now, startedAt)).includes(true);
  }

  failures(now: number): number {
    return this.#parts[0]?.failures(now) ?? 0;
  }

  clear(): void {
    for (const part of this.#parts) part.clear();
  }

  memory(now: number): unknown {
    return this.#parts.map((part) => part.memory(now));
  }
}

const windows: fc.Arbitrary<WindowOptions> = fc.oneof(
  fc.constantFrom(10, 40, 100).map((windowMs) => ({ windowMs })),
  fc.integer({ min: 1, max: 8 }).map((windowCalls) => ({ windowCalls })),
);
const few = fc.integer({ min: 1, max: 4 });
const ratios = fc.constantFrom(0.3, 0.5, 1);

const failureCounts = fc.tuple(windows, few).map(([window, failures]): TwinRule => ({
  text: `failureCount(${failures} in ${JSON.stringify(window)})`,
  rule: failureCount({ ...window, failures }),
  naive: () => new NaiveWindowRule(window, 'windowCalls' in window, (counts) => counts.failures >= failures),
}));

const failureRates = fc.tuple(windows, ratios, few).map(([window, ratio, minimumCalls]): TwinRule => {
  const least = Math.min(minimumCalls, window.windowCalls ?? Infinity);
  return {
    text: `failureRate(${ratio} of ${minimumCalls} in ${JSON.stringify(window)})`,
    rule: failureRate({ ...window, ratio, minimumCalls }),
    naive: () =>
      new NaiveWindowRule(window, true, ({ calls, failures }) => calls >= least && failures >= ratio * calls),
  };
});

const slowCallRates = fc
  .tuple(windows, ratios, few, fc.constantFrom(5, 20))
  .map(([window, ratio, minimumCalls, slowAfterMs]): TwinRule => {
    const least = Math.min(minimumCalls, window.windowCalls ?? Infinity);
    return {
      text: `slowCallRate(${ratio} of ${minimumCalls} > ${slowAfterMs} ms in ${JSON.stringify(window)})`,
      rule: slowCallRate({ ...window, ratio, minimumCalls, slowAfterMs }),
      naive: () =>
        new NaiveSlowRule(window, slowAfterMs, ({ calls, slow }) => calls >= least && slow >= ratio * calls),
    };
  });

const custom = fc.tuple(windows, fc.constantFrom(5, 20)).map(([window, slowAfterMs]): TwinRule => {
  const trips = ({ calls, failures, slow }: TripCounts): boolean => calls >= 3 && failures + slow > calls / 2;
  return {
    text: `windowRule(failed + slow > ${slowAfterMs} ms in ${JSON.stringify(window)})`,
    rule: windowRule({ ...window, slowAfterMs, trips }),
    naive: () => new NaiveSlowRule(window, slowAfterMs, trips),
  };
});

const streaks = few.map((most): TwinRule => ({
  text: `consecutiveFailures(${most})`,
  rule: consecutiveFailures(most),
  naive: () => naiveStreak(most),
}));

// Thresholds that no average of so few calls comes near, so that rounding decides nothing.
const averages = fc
  .tuple(fc.constantFrom(0.613, 0.871), fc.constantFrom(7, 50), few)
  .map(([below, decayMs, minimumCalls]): TwinRule => ({
    text: `successAverage(${below} over ${decayMs} ms of ${minimumCalls})`,
    rule: successAverage({ below, decayMs, minimumCalls }),
    naive: () =>
      new NaiveHistoryRule(
        (history, now) =>
          history.length >= minimumCalls &&
          1 - weight(failedOf(history), now, decayMs) / weight(history, now, decayMs) < below,
        (history, now) => Math.round(weight(failedOf(history), now, decayMs)),
      ),
  }));

const single = fc.oneof(failureCounts, failureRates, slowCallRates, custom, streaks, averages);

const combined = fc.array(single, { minLength: 1, maxLength: 3 }).map((parts): TwinRule => {
  const [first, ...rest] = parts.map((part) => part.rule);
  if (first === undefined) throw new Error('no part');
  return {
    text: `any(${parts.map((part) => part.text).join(', ')})`,
    rule: any(first, ...rest),
    naive: () => new NaiveAny(parts.map((part) => part.naive())),
  };
});

/** Every kind of rule, alone and together. */
export const twinRules: fc.Arbitrary<TwinRule> = fc.oneof(
  { weight: 2, arbitrary: single },
  { weight: 1, arbitrary: combined },
);
