import { RetryBudget, type RetryBudgetOptions, type Timers } from '@mesh/resilience';
import type { Dispatcher } from 'undici';
import { readRules, usualRules, type RetryRules } from './call-policy.ts';
import { integer } from './options.ts';
import type { CallResult } from './observer.ts';
import { Stack, type RetryParts } from './stack.ts';

/** Options of {@link retry}. */
export interface RetryOptions extends RetryBudgetOptions, RetryRules {
  /** Most services whose budgets are remembered (default 1000). */
  readonly maxServices?: number;
  /** Source of the jitter, 0 <= x < 1 (default `Math.random`). */
  readonly random?: () => number;
  /** Timers of back-off and deadline (default Node's). */
  readonly timers?: Timers;
  /** Told once how each call ended; what it throws is dropped. */
  readonly observe?: (result: CallResult) => void;
}

/** The part of a stack that tries again. @throws RangeError when an option is out of range. */
export function retryParts(options: RetryOptions): RetryParts {
  new RetryBudget(options);
  return {
    random: options.random ?? Math.random,
    makeBudget: () => new RetryBudget(options),
    maxOrigins: integer('retry.maxServices', options.maxServices ?? 1000, 1),
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
 * - `timeoutMs` of the call's context bounds all attempts, back-off and body together (TimeoutError), at most 50 ms late.
 * - What cannot be retried any more is passed on as it is: the upstream's own 503, or its error.
 *
 * @throws RangeError when an option is out of range.
 */
export function retry(options: RetryOptions = {}): Dispatcher.DispatcherComposeInterceptor {
  const { timers, clock, observe } = options;
  const parts = {
    rules: readRules({ retry: options }, usualRules),
    retry: retryParts(options),
    ...{ timers, clock },
    observer: observe && {
      callEnded: ({ status, error, aborted, latencyMs, retries }: CallResult) => {
        observe({ status, error, aborted, latencyMs, retries });
      },
    },
  };
  return (next) => {
    const stack = new Stack({ ...parts, next });
    return (call, handler) => stack.dispatch(call, handler);
  };
}
