import type { BreakDuration } from './break-duration.ts';
import { count } from './check.ts';
import type { Clock, Outcome } from './gate.ts';
import { readTuning, type Tuned } from './settings.ts';
import type { TripRule } from './trip-rule.ts';
import { TurnClock } from './turn-clock.ts';

/** How a call ended, as `classify` sees it. */
export type CallResult =
  { readonly ok: true; readonly value: unknown } | { readonly ok: false; readonly error: unknown };

/**
 * What the law does with calls: `enabled` lives by it, `shadow` applies it and refuses nobody (see the `rejected` event),
 * `disabled` lets all pass and learns nothing, `forced-open` refuses all.
 */
export type CircuitMode = 'enabled' | 'shadow' | 'disabled' | 'forced-open';

/** The options that can be changed while the circuit works. */
export interface CircuitTuning {
  /** So many failures within the time window open the circuit. An integer >= 1, default 3. */
  readonly maximumFailuresAllowed?: number;
  /** Length of the rolling window in which failures count, in milliseconds. Default 30 000. */
  readonly timeWindowInMilliseconds?: number;
  /** Another rule than so many failures in a time window; then the two options above are not given. */
  readonly tripWhen?: TripRule;
  /** How long an open circuit refuses every call before it lets trials through, in milliseconds, or a function (see `exponentialBreak`). Default 30 000. */
  readonly resetTimeoutInMilliseconds?: BreakDuration;
  /** What the failure that opens the circuit says of the time to wait, in milliseconds; the break is at least that, at most an hour. Default: its `retryAfterMs`. */
  readonly retryAfterMs?: (cause: unknown) => number | undefined;
  /** A closed circuit forgets one of its openings after so many milliseconds without another, so that the breaks of a flapping service grow. Default 60 000. */
  readonly attemptDecayMs?: number;
  /** So many trials must succeed to close a half-open circuit. An integer >= 1, default 2. */
  readonly successThreshold?: number;
  /** So many calls are let through while half-open; more may fail than `trials - successThreshold` and the circuit opens again. An integer >= the success threshold, its default. */
  readonly trials?: number;
  /** A trial that has not ended after so many milliseconds has failed, so that a call that hangs never holds the circuit. Default: the reset timeout, 30 000 when that is a function. */
  readonly probeLeaseMs?: number;
  /** After closing, the part of the calls that pass grows from a tenth to all over so many milliseconds. Default 0: all pass at once. */
  readonly rampMs?: number;
  /** Default `enabled`. */
  readonly mode?: CircuitMode;
}

/** Options of a circuit breaker. */
export interface CircuitBreakerOptions extends CircuitTuning {
  /** Name in events, errors and snapshots. Default `'circuit'`. */
  readonly name?: string;
  /**
   * Judges how a call ended. Default: a resolved call is a success, a rejected one a failure. It is not asked
   * about a call that its caller aborted: that is `ignored`. If it throws or answers anything else, the default holds.
   */
  readonly classify?: (result: CallResult) => Outcome;
  /** Asked before the circuit opens by itself; false keeps it closed (so that one of many circuits knows the others). Default: it may. */
  readonly mayOpen?: () => boolean;
  /** So many surplus calls of `execute` wait for the verdict of the trials instead of being refused. An integer >= 0, default 0. */
  readonly maximumWaiting?: number;
  /** Monotonic time in milliseconds. Default `performance`. */
  readonly clock?: Clock;
}

declare const performance: Clock;

/** The two clocks of a circuit: the one for crowds may stand still within a turn of the event loop. */
export interface Clocks {
  readonly exact: Clock;
  readonly turn: Clock;
}

const platformClocks: Clocks = { exact: performance, turn: new TurnClock(performance) };

/** Options of a circuit breaker, copied and checked. */
export interface ReadOptions extends Tuned {
  readonly name: string;
  readonly clocks: Clocks;
  readonly classify: CircuitBreakerOptions['classify'];
  readonly mayOpen: () => boolean;
  readonly maximumWaiting: number;
}

/** @throws RangeError naming the option and its value. */
export function readOptions(options: CircuitBreakerOptions): ReadOptions {
  const { name = 'circuit', clock, classify, mayOpen = always, maximumWaiting = 0, ...tuning } = options;
  return {
    name,
    clocks: clock === undefined ? platformClocks : { exact: clock, turn: clock },
    classify,
    mayOpen,
    maximumWaiting: count('maximumWaiting', maximumWaiting, 0),
    ...readTuning(tuning),
  };
}

const always = (): boolean => true;
