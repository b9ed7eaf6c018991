import type { Throws } from './attempts.ts';
import { backoff, type Backoff, type BackoffOptions } from './backoff.ts';
import type { CallResult } from './call.ts';
import type { Fault } from './events.ts';
import type { Handle } from './judge.ts';
import { atLeastZero, between, integer } from './range.ts';
import { retryAfterMs } from './retry-after.ts';
import type { RetryBudget } from './retry-budget.ts';
import { maxDelayMs, platformClock, platformTimers, type Clock, type Random, type Timers } from './time.ts';

/** Options of a retry. */
export interface RetryOptions {
  /** Attempts in all, the first included. An integer >= 1, or Infinity; default 3. */
  readonly maxAttempts?: number;
  /** No attempt starts later than this after the first, in milliseconds. Default Infinity. */
  readonly maxTotalMs?: number;
  /** The delays between attempts, or a function that starts them. Default exponential from 100 ms to 10 s with full jitter. */
  readonly backoff?: BackoffOptions | Backoff;
  /**
   * Which outcomes are worth another attempt, values too. Default: every error but a full bulkhead. Never asked once the caller has given up.
   */
  readonly handle?: Handle;
  /**
   * How long the other side asks to wait, in milliseconds; the delay is not shorter. Negative: no further attempt. Default
   * `retryAfterMs`, which reads the property of that name or the header `Retry-After`.
   */
  readonly retryAfterMs?: (result: CallResult) => number | undefined;
  /** The longest wait that is granted to the other side, in milliseconds: if it asks for more, the call ends now. Default 10 000. */
  readonly maxRetryAfterMs?: number;
  /** Bounds what retries add to the load; share it between all that call the same service. Default none. */
  readonly budget?: RetryBudget;
  /** What the caller gets when no attempt succeeded. Default `last`. */
  readonly throws?: Throws;
  /** Default `performance`. */
  readonly clock?: Clock;
  /** Default `setTimeout`. */
  readonly timers?: Timers;
  /** Default `Math.random`. */
  readonly random?: Random;
}

/** Why there is no further attempt. */
export type GiveUpReason = 'not-handled' | 'attempts' | 'retry-after' | 'time' | 'budget' | 'fault';

/** What a retry tells, by event name. */
export interface RetryEvents {
  /** There will be another attempt, the `attempt`-th, after `delayMs`. */
  retry: { readonly attempt: number; readonly delayMs: number; readonly result: CallResult };
  /** There will be none after these `attempts`. */
  giveUp: { readonly attempts: number; readonly reason: GiveUpReason; readonly result: CallResult };
  fault: Fault;
}

/** The options, checked. */
export interface RetrySettings {
  readonly maxAttempts: number;
  readonly maxTotalMs: number;
  readonly backoff: Backoff;
  readonly handle: Handle | undefined;
  readonly retryAfterMs: (result: CallResult) => number | undefined;
  readonly maxRetryAfterMs: number;
  readonly budget: RetryBudget | undefined;
  readonly throws: Throws;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly random: Random;
}

/** Copies and checks the options. @throws RangeError naming the option and its value. */
export function readRetrySettings(options: RetryOptions): RetrySettings {
  const { maxAttempts = 3, maxTotalMs = Infinity, maxRetryAfterMs = 10_000 } = options;
  return {
    maxAttempts: maxAttempts === Infinity ? Infinity : integer('retry: maxAttempts', maxAttempts),
    maxTotalMs: atLeastZero('retry: maxTotalMs', maxTotalMs, Infinity),
    backoff: typeof options.backoff === 'function' ? options.backoff : backoff(options.backoff),
    handle: options.handle,
    retryAfterMs: options.retryAfterMs ?? ((result) => retryAfterMs(result)),
    maxRetryAfterMs: between('retry: maxRetryAfterMs', maxRetryAfterMs, 0, maxDelayMs),
    budget: options.budget,
    throws: options.throws ?? 'last',
    clock: options.clock ?? platformClock,
    timers: options.timers ?? platformTimers,
    random: options.random ?? Math.random,
  };
}
