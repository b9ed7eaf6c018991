import type { Clock, Outcome } from './gate.ts';

/** How a call ended, as `classify` sees it. */
export type CallResult =
  { readonly ok: true; readonly value: unknown } | { readonly ok: false; readonly error: unknown };

/** Options of a circuit breaker. */
export interface CircuitBreakerOptions {
  /** Name in events, errors and snapshots. Default `'circuit'`. */
  readonly name?: string;
  /** So many failures within the time window open the circuit. An integer >= 1, default 3. */
  readonly maximumFailuresAllowed?: number;
  /** Length of the rolling window in which failures count, in milliseconds. Default 30 000. */
  readonly timeWindowInMilliseconds?: number;
  /** How long an open circuit refuses every call before it lets trials through, in milliseconds. Default 30 000. */
  readonly resetTimeoutInMilliseconds?: number;
  /** So many trials must succeed to close a half-open circuit; never more than this many are under way. An integer >= 1, default 2. */
  readonly successThreshold?: number;
  /** A trial that has not ended after so many milliseconds counts as failed, so that a call that hangs never holds the circuit. Default: the reset timeout. */
  readonly probeLeaseMs?: number;
  /**
   * Judges how a call ended. Default: a resolved call is a success, a rejected one a failure. It is not asked
   * about a call that its caller aborted: that is `ignored`. If it throws or answers anything else, the default holds.
   */
  readonly classify?: (result: CallResult) => Outcome;
  /** Monotonic time in milliseconds. Default `performance`. */
  readonly clock?: Clock;
}

/** The numbers of the law, checked. */
export interface Settings {
  readonly name: string;
  readonly maximumFailures: number;
  readonly windowMs: number;
  readonly resetTimeoutMs: number;
  readonly successThreshold: number;
  readonly probeLeaseMs: number;
  readonly clock: Clock;
}

declare const performance: { now(): number };

const monotonic: Clock = { now: () => performance.now() };

/** Copies and checks the options. @throws RangeError naming the option and its value. */
export function readSettings(options: CircuitBreakerOptions): Settings {
  const {
    name = 'circuit',
    maximumFailuresAllowed = 3,
    timeWindowInMilliseconds = 30_000,
    resetTimeoutInMilliseconds = 30_000,
    successThreshold = 2,
    probeLeaseMs = resetTimeoutInMilliseconds,
    clock = monotonic,
  } = options;
  return {
    name,
    maximumFailures: count('maximumFailuresAllowed', maximumFailuresAllowed),
    windowMs: duration('timeWindowInMilliseconds', timeWindowInMilliseconds),
    resetTimeoutMs: duration('resetTimeoutInMilliseconds', resetTimeoutInMilliseconds),
    successThreshold: count('successThreshold', successThreshold),
    probeLeaseMs: duration('probeLeaseMs', probeLeaseMs),
    clock,
  };
}

function count(option: string, value: number): number {
  if (Number.isSafeInteger(value) && value >= 1) return value;
  throw new RangeError(`circuitBreaker: ${option} must be an integer >= 1, got ${String(value)}`);
}

function duration(option: string, value: number): number {
  if (Number.isFinite(value) && value > 0) return value;
  throw new RangeError(`circuitBreaker: ${option} must be a number > 0 (milliseconds), got ${String(value)}`);
}
