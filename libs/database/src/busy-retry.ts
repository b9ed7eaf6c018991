import { setTimeout as sleep } from 'node:timers/promises';
import { DatabaseBusyError, fieldsOf } from './errors.ts';

/** How long to wait for a lock that another process holds, and with what. */
export interface BusyRetryOptions {
  /** Longest wait for one statement, in ms, asked for each time. */
  readonly totalMs: () => number;
  /** Monotonic clock in ms. Default `performance`. */
  readonly clock?: { now(): number };
  /** 0 <= n < 1. Default `Math.random`. */
  readonly random?: () => number;
  readonly sleep?: (ms: number) => Promise<unknown>;
}

/** Runs something synchronous, and again while SQLite says that another connection holds the lock. */
export type BusyRetry = <T>(attempt: () => T) => Promise<T>;

const firstStepMs = 4;
const longestStepMs = 100;

/**
 * SQLite itself waits for a lock by blocking the thread, and not fairly: a long busy timeout stops the event loop and can
 * starve a process. So its own timeout is short, and the rest of the wait is here: asynchronous, with full jitter (the
 * delay is uniform in [0, min(100 ms, 4 ms x 2^n)), https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/).
 */
export function busyRetry({ totalMs, ...options }: BusyRetryOptions): BusyRetry {
  const { clock = performance, random = Math.random, sleep: pause = sleep } = options;
  return async (attempt) => {
    const startedAt = clock.now();
    for (let stepMs = firstStepMs; ; stepMs = Math.min(stepMs * 2, longestStepMs)) {
      try {
        return attempt();
      } catch (error) {
        if (!isBusy(error)) throw error;
        const waitedMs = clock.now() - startedAt;
        if (waitedMs >= totalMs()) throw new DatabaseBusyError(waitedMs, error);
        await pause(random() * stepMs);
      }
    }
  };
}

/**
 * SQLITE_BUSY in its plain and extended forms, but for SQLITE_BUSY_SNAPSHOT (517): a transaction that read before it
 * wrote and was overtaken can only be begun anew.
 */
export function isBusy(error: unknown): boolean {
  const { code, errcode } = fieldsOf(error);
  return (
    code === 'ERR_SQLITE_ERROR' && typeof errcode === 'number' && (errcode & 0xff) === 5 && errcode !== 517
  );
}
