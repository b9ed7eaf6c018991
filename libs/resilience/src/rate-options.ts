import type { CallResult } from './call.ts';
import { Gcra } from './gcra.ts';
import { atLeastZero, integer, outOfRange, positive } from './range.ts';
import type { Rate, RateLaw } from './rate-law.ts';
import type { RateSettings } from './rate-table.ts';
import { SlidingWindow } from './sliding-window.ts';
import { platformClock, platformTimers, type Clock, type Timers } from './time.ts';

/** What may pass; the part of the options that can be changed later. */
export interface RateOptions {
  /** Permits in one period. An integer >= 1. */
  readonly limit: number;
  /** Length of the period in milliseconds. Default 1000. */
  readonly periodMs?: number;
  /** The most permits at once. An integer >= 1; default `limit`. Not for the sliding window, which allows `limit` at once. */
  readonly burst?: number;
}

/** Options of a rate limiter. */
export interface RateLimiterOptions extends RateOptions {
  /** Name in errors and headers, printable ASCII. Default `'default'`. */
  readonly name?: string;
  /**
   * `gcra` (default): a bucket of `burst` permits, refilled evenly; smooth, and one number a key. `sliding-window`: a quota,
   * never more than `limit` in any stretch of `periodMs`.
   */
  readonly algorithm?: 'gcra' | 'sliding-window';
  /** How long a call may wait for its turn, in milliseconds; one that would wait longer is refused at once. Default 0: nobody waits. */
  readonly maxWaitMs?: number;
  /**
   * Reads from a result how long the server asks to be left alone, in milliseconds; so long nothing passes. If it throws, the result
   * asks for nothing. Default: results are not looked at.
   */
  readonly retryAfterMs?: (result: CallResult) => number | undefined;
  /** Default `performance`. */
  readonly clock?: Clock;
  /** Default the platform's. */
  readonly timers?: Timers;
}

/** Copies and checks the options. @throws RangeError */
export function readOptions(options: RateLimiterOptions): {
  readonly law: RateLaw;
  readonly rate: Rate;
  readonly settings: RateSettings;
} {
  const { name = 'default', algorithm = 'gcra', maxWaitMs = 0, retryAfterMs } = options;
  if (!/^[ -~]*$/.test(name)) throw outOfRange('rateLimiter: name', 'printable ASCII', name);
  if (algorithm !== 'gcra' && (algorithm as string) !== 'sliding-window')
    throw outOfRange('rateLimiter: algorithm', "'gcra' or 'sliding-window'", algorithm);
  const rate = readRate(options);
  return {
    law: algorithm === 'gcra' ? new Gcra(rate) : new SlidingWindow(rate),
    rate,
    settings: {
      name,
      maxWaitMs: atLeastZero('rateLimiter: maxWaitMs', maxWaitMs),
      retryAfterMs,
      clock: options.clock ?? platformClock,
      timers: options.timers ?? platformTimers,
    },
  };
}

/** Checks the rate. @throws RangeError */
export function readRate({ limit, periodMs = 1000, burst = limit }: RateOptions): Rate {
  return {
    limit: integer('rateLimiter: limit', limit),
    periodMs: positive('rateLimiter: periodMs', periodMs),
    burst: integer('rateLimiter: burst', burst),
  };
}
