import { circuitBreaker, type Clock } from '@mesh/circuit-breaker';
import { pipeline, timeLimiter, type Pipeline, type RateLimitState } from '@mesh/resilience';
import { RateLimiterRedis, RateLimiterRes } from 'rate-limiter-flexible';
import { wholeNumber } from '../range.ts';
import type { LimitRule } from './rate-limit-rules.ts';

/** What is needed of a Redis client; one of `@redis/client` fits, connected and closed by who made it. */
export interface RedisLike {
  readonly isReady: boolean;
  eval(script: string, options: { keys: string[]; arguments: string[] }): Promise<unknown>;
}

/** What {@link SharedCounts} takes. */
export interface SharedCountsOptions {
  readonly client: RedisLike;
  /** What all its keys in Redis begin with. Default `mesh:limit`. */
  readonly prefix?: string;
  /** Longest wait for Redis in ms; then the request is counted in memory. Default 50. */
  readonly timeoutMs?: number;
  /** How long Redis is left alone after it failed, in ms. Default 1 000. */
  readonly pauseMs?: number;
  /** Told once when Redis is given up, with what went wrong. Default: nobody is. */
  readonly onAway?: (cause: unknown) => void;
  /** Told once when it is used again. Default: nobody is. */
  readonly onBack?: () => void;
  /** Monotonic clock in ms. Default `performance`. */
  readonly clock?: Clock;
}

/** How one request fared at one limit. */
export interface Taken {
  readonly hasPassed: boolean;
  readonly state: RateLimitState;
}

/**
 * Counts of several gateways in one Redis, by `rate-limiter-flexible`: fixed windows that begin with the first request of a key. A Redis
 * that fails, is slow or is away costs no request: each gateway then counts for itself, and after three failures Redis is
 * left alone for a while. Make one and give it to all routes.
 *
 * @throws RangeError when an option is out of its range.
 */
export class SharedCounts {
  readonly #client: RedisLike;
  readonly #prefix: string;
  readonly #guard: Pipeline;

  constructor(options: SharedCountsOptions) {
    this.#client = options.client;
    this.#prefix = options.prefix ?? 'mesh:limit';
    const clock = options.clock !== undefined && { clock: options.clock };
    const circuit = circuitBreaker({
      name: 'redis',
      maximumFailuresAllowed: 3,
      timeWindowInMilliseconds: 10_000,
      resetTimeoutInMilliseconds: wholeNumber('sharedCounts: pauseMs', options.pauseMs ?? 1_000, 1),
      successThreshold: 1,
      classify: (result) => (result.ok || result.error instanceof RateLimiterRes ? 'success' : 'failure'),
      ...clock,
    });
    circuit.on('stateChange', ({ from, to, cause }) => {
      if (from === 'closed' && to === 'open') options.onAway?.(cause);
      if (to === 'closed') options.onBack?.();
    });
    const timeoutMs = wholeNumber('sharedCounts: timeoutMs', options.timeoutMs ?? 50, 1);
    this.#guard = pipeline(circuit, timeLimiter({ timeoutMs }));
  }

  /** The counts of one limit. @throws RangeError for a limit that Redis cannot keep. */
  limit(rule: LimitRule): SharedLimit {
    return new SharedLimit(this.#client, this.#guard, this.#prefix, rule);
  }
}

/** One limit whose counts are in Redis. */
export class SharedLimit {
  readonly #limiter: RateLimiterRedis;
  readonly #guard: Pipeline;
  readonly #rule: LimitRule;

  constructor(client: RedisLike, guard: Pipeline, keyPrefix: string, rule: LimitRule) {
    if (rule.periodMs % 1_000 !== 0) {
      throw new RangeError(`rateLimit: periodMs must be whole seconds in Redis, got ${rule.periodMs}`);
    }
    if (rule.burst !== undefined || rule.algorithm !== 'gcra') {
      throw new RangeError(`rateLimit: ${rule.name} has a burst or an algorithm, which are for memory only`);
    }
    this.#rule = rule;
    this.#guard = guard;
    this.#limiter = new RateLimiterRedis({
      storeClient: client,
      useRedisPackage: true,
      rejectIfRedisNotReady: true,
      keyPrefix,
      points: rule.limit,
      duration: rule.periodMs / 1_000,
    });
  }

  /** Counts one request of a scope, such as a route; undefined when Redis cannot be asked. It never rejects. */
  async take(scope: string, key: string): Promise<Taken | undefined> {
    try {
      return this.#taken(
        true,
        await this.#guard.execute(() => this.#limiter.consume(this.#place(scope, key))),
      );
    } catch (refusal) {
      return refusal instanceof RateLimiterRes ? this.#taken(false, refusal) : undefined;
    }
  }

  /** Takes a request back that another limit has refused. */
  giveBack(scope: string, key: string): void {
    this.#guard.execute(() => this.#limiter.reward(this.#place(scope, key))).catch(() => undefined);
  }

  /** No two limits, scopes or keys meet: only the key, at the end, may hold a colon. */
  #place(scope: string, key: string): string {
    return `${encodeURIComponent(scope)}:${this.#rule.name}:${key}`;
  }

  #taken(hasPassed: boolean, { remainingPoints, msBeforeNext }: RateLimiterRes): Taken {
    const { name, limit, periodMs } = this.#rule;
    const resetMs = Math.max(0, msBeforeNext);
    const state = {
      name,
      limit,
      periodMs,
      remaining: remainingPoints,
      resetMs,
      retryAfterMs: hasPassed ? 0 : resetMs,
    };
    return { hasPassed, state };
  }
}
