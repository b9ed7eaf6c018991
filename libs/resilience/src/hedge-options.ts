import type { Throws } from './attempts.ts';
import type { CallResult } from './call.ts';
import type { Fault } from './events.ts';
import type { Handle } from './judge.ts';
import { between, integer } from './range.ts';
import type { RetryBudget } from './retry-budget.ts';
import { maxDelayMs, platformClock, platformTimers, type Clock, type Timers } from './time.ts';

/** Options of a hedge. */
export interface HedgeOptions {
  /** A further attempt starts when there is no answer after so many milliseconds; 0: at once. Default: the live quantile. */
  readonly delayMs?: number;
  /** Without `delayMs`: the delay is this quantile of the latest successes, 0..1. Default 0.95: about one call in twenty is hedged. */
  readonly quantileRatio?: number;
  /** No hedging by quantile before so many successes. An integer >= 1, default 100. */
  readonly minSamples?: number;
  /** Further attempts at most, each after another delay. An integer from 1 to 10, default 1. */
  readonly maxExtra?: number;
  /** Bounds what hedges add to the load; share it with the retries of the same service. Default none. */
  readonly budget?: RetryBudget;
  /** Which outcomes do not win the race, values too. Default every error. */
  readonly handle?: Handle;
  /** What the caller gets when no attempt wins. Default `last`. */
  readonly throws?: Throws;
  /** Default `performance`. */
  readonly clock?: Clock;
  /** Default `setTimeout`. */
  readonly timers?: Timers;
}

/** What a hedge tells, by event name. */
export interface HedgeEvents {
  /** A further attempt, the `attempt`-th, starts, since there was no answer for `delayMs`. */
  hedge: { readonly attempt: number; readonly delayMs: number };
  /** A call that had further attempts was answered by the `attempt`-th. */
  won: { readonly attempt: number };
  /** What came from an attempt that had lost. A value has been disposed of. */
  late: { readonly result: CallResult };
  fault: Fault;
}

/** The options, checked. */
export interface HedgeSettings {
  readonly delayMs: number | undefined;
  readonly quantileRatio: number;
  readonly minSamples: number;
  readonly maxExtra: number;
  readonly budget: RetryBudget | undefined;
  readonly handle: Handle | undefined;
  readonly throws: Throws;
  readonly clock: Clock;
  readonly timers: Timers;
}

/** Copies and checks the options. @throws RangeError naming the option and its value. */
export function readHedgeSettings(options: HedgeOptions): HedgeSettings {
  const { delayMs, quantileRatio = 0.95, minSamples = 100, maxExtra = 1 } = options;
  return {
    delayMs: delayMs === undefined ? undefined : between('hedge: delayMs', delayMs, 0, maxDelayMs),
    quantileRatio: between('hedge: quantileRatio', quantileRatio, 0, 1),
    minSamples: integer('hedge: minSamples', minSamples),
    maxExtra: between('hedge: maxExtra', integer('hedge: maxExtra', maxExtra), 1, 10),
    budget: options.budget,
    handle: options.handle,
    throws: options.throws ?? 'last',
    clock: options.clock ?? platformClock,
    timers: options.timers ?? platformTimers,
  };
}
