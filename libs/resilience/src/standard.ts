import { circuitBreaker, failureRate, type CircuitBreakerOptions } from '@mesh/circuit-breaker';
import { bulkhead, type BulkheadOptions } from './bulkhead.ts';
import { Pipeline } from './pipeline.ts';
import type { Policy } from './policy.ts';
import { outOfRange } from './range.ts';
import type { RetryOptions } from './retry-options.ts';
import { retry } from './retry.ts';
import { timeLimiter } from './time-limiter.ts';
import { platformClock, platformTimers, type Clock, type Random, type Timers } from './time.ts';

/** Options of the usual pipeline. Each layer may be given as its options, or as a policy that you share or listen to. */
export interface StandardOptions {
  /** Default a bulkhead of 1000 calls under way, without a queue. */
  readonly limiter?: BulkheadOptions | Policy;
  /** The time for all attempts together, in milliseconds. Default 30 000. */
  readonly totalTimeoutMs?: number;
  /** Default 3 attempts, exponential delays with full jitter from 100 ms on. */
  readonly retry?: RetryOptions | Policy;
  /** One circuit for one thing that fails by itself: a host, an instance. Default one that opens when half of at least 20 attempts within 30 s failed. */
  readonly breaker?: CircuitBreakerOptions | Policy;
  /** The time for one attempt, in milliseconds, at most that for all. Default 10 000, or the total time if that is shorter. */
  readonly attemptTimeoutMs?: number;
  /** For all layers made here. Default `performance`. */
  readonly clock?: Clock;
  /** For all layers made here. Default `setTimeout`. */
  readonly timers?: Timers;
  /** For the jitter. Default `Math.random`. */
  readonly random?: Random;
}

/**
 * The usual pipeline, from the outside in: limiter, total timeout, retry, circuit breaker, attempt timeout. So a refused call costs nothing,
 * the breaker sees every attempt and its timeouts, and nothing outlives the total time.
 *
 * @throws RangeError when an option is out of range.
 * @example
 * const users = standard({ totalTimeoutMs: 5000, attemptTimeoutMs: 1000, breaker: usersBreaker });
 * const answer = await users.execute(({ signal }) => fetch(url, { signal }), { signal });
 */
export function standard(options: StandardOptions = {}): Pipeline {
  const { clock = platformClock, timers = platformTimers, random = Math.random } = options;
  const { totalTimeoutMs = 30_000, attemptTimeoutMs = Math.min(10_000, totalTimeoutMs) } = options;
  if (attemptTimeoutMs > totalTimeoutMs) {
    throw outOfRange(
      'standard: attemptTimeoutMs',
      `at most totalTimeoutMs (${totalTimeoutMs})`,
      attemptTimeoutMs,
    );
  }
  return new Pipeline([
    made(options.limiter, (limiter) => bulkhead({ maxConcurrent: 1000, clock, timers, ...limiter })),
    timeLimiter({ timeoutMs: totalTimeoutMs, clock, timers }),
    made(options.retry, (repeat) => retry({ clock, timers, random, ...repeat })),
    made(options.breaker, (breaker = { tripWhen: failureRate({ minimumCalls: 20 }) }) =>
      // The breaker's default clock is cheaper than ours: ours is only passed on when it was chosen.
      circuitBreaker({ ...(options.clock && { clock }), ...breaker }),
    ),
    timeLimiter({ timeoutMs: attemptTimeoutMs, clock, timers }),
  ]);
}

function made<Options extends object>(
  given: Options | Policy | undefined,
  make: (options: Options | undefined) => Policy,
): Policy {
  return given !== undefined && 'layer' in given ? given : make(given);
}
