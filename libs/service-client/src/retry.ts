import { platformTimers, RetryBudget, type RetryBudgetOptions, type Timers } from '@mesh/resilience';
import { LRUCache } from 'lru-cache';
import type { Dispatcher } from 'undici';
import { callContext, contextOf, createCallContext, type ServiceDispatchOptions } from './call-context.ts';
import { replayableHeaders } from './headers.ts';
import { durationMs, integer } from './options.ts';
import { RetriedCall, type CallResult, type RetryPolicy } from './retried-call.ts';

/** Options of {@link retry}. */
export interface RetryOptions extends RetryBudgetOptions {
  /** Most retries of one call (default 3; 0 = none). */
  readonly maxRetries?: number;
  /** Ceiling of the first delay in milliseconds (default 100); it doubles with every retry: 100, 200, 400. */
  readonly baseDelayMs?: number;
  /** Ceiling of every delay in milliseconds (default 2000). */
  readonly maxDelayMs?: number;
  /** Longest Retry-After that is waited for in milliseconds (default 10000); a longer one ends the call. */
  readonly maxRetryAfterMs?: number;
  /** Statuses that are retried (default 502, 503, 504). */
  readonly statuses?: readonly number[];
  /** Most services whose budgets are remembered (default 1000). */
  readonly maxServices?: number;
  /** Source of the jitter, 0 <= x < 1 (default `Math.random`). */
  readonly random?: () => number;
  /** Timers of back-off and deadline (default Node's). */
  readonly timers?: Timers;
  /** Told once how each call ended; what it throws is dropped. */
  readonly observe?: (result: CallResult) => void;
}

function readPolicy(options: RetryOptions): RetryPolicy {
  const statuses = options.statuses ?? [502, 503, 504];
  for (const status of statuses) integer('retry.statuses', status, 400);
  return {
    maxRetries: integer('retry.maxRetries', options.maxRetries ?? 3, 0),
    baseDelayMs: durationMs('retry.baseDelayMs', options.baseDelayMs ?? 100),
    maxDelayMs: durationMs('retry.maxDelayMs', options.maxDelayMs ?? 2000),
    maxRetryAfterMs: durationMs('retry.maxRetryAfterMs', options.maxRetryAfterMs ?? 10_000),
    statuses: new Set(statuses),
    random: options.random ?? Math.random,
    timers: options.timers ?? platformTimers,
    clock: options.clock ?? performance,
    observe: options.observe,
  };
}

/**
 * Tries a call again, at another instance while there is one. The outermost interceptor (undici's order: written last),
 * and the only retry on the path, so that attempts never multiply.
 *
 * - Retried: failed connections, resets and timeouts before the response head, and 502, 503, 504; up to `maxRetries`.
 * - Allowed for idempotent methods and for any with an Idempotency-Key, when the body is held in memory (string or bytes);
 *   what was refused before anything was sent may be repeated whatever the method.
 * - Never after a byte of a response head was passed on; never more than the budget that all calls of a service share.
 * - `timeoutMs` of the call's context bounds all attempts, back-off and body together (TimeoutError).
 * - What cannot be retried any more is passed on as it is: the upstream's own 503, or its error.
 *
 * @throws RangeError when an option is out of range.
 */
export function retry(options: RetryOptions = {}): Dispatcher.DispatcherComposeInterceptor {
  const policy = readPolicy(options);
  const budgets = new LRUCache<string, RetryBudget>({
    max: integer('retry.maxServices', options.maxServices ?? 1000, 1),
    memoMethod: () => new RetryBudget(options),
  });
  new RetryBudget(options);

  return (dispatch) => (call: ServiceDispatchOptions, handler) => {
    const context = contextOf(call) ?? createCallContext();
    const budget = budgets.memo(String(call.origin));
    const replayable: ServiceDispatchOptions = {
      ...call,
      headers: replayableHeaders(call.headers) ?? null,
      [callContext]: context,
    };
    new RetriedCall({ dispatch, options: replayable, handler, context, budget }, policy).start();
    return true;
  };
}
