import { keyedRateLimiter, type Clock, type KeyedRateLimiter, type RateLimitState } from '@mesh/resilience';
import type { LimitRule } from './rate-limit-rules.ts';

/** A limit whose counts are in the memory of this process. */
export class LocalLimit {
  readonly #limiter: KeyedRateLimiter;

  constructor(rule: LimitRule, maxKeys: number, clock: Clock | undefined) {
    const { limit, periodMs, burst, algorithm, name } = rule;
    this.#limiter = keyedRateLimiter({
      limit,
      periodMs,
      algorithm,
      name,
      maxKeys,
      ...(burst !== undefined && { burst }),
      ...(clock !== undefined && { clock }),
    });
  }

  /** Counts one request, if it may pass. */
  tryTake(key: string): boolean {
    return this.#limiter.tryAcquire(key) !== undefined;
  }

  /** Takes a request back that another limit has refused. */
  giveBack(key: string): void {
    this.#limiter.of(key).giveBack();
  }

  state(key: string): RateLimitState {
    return this.#limiter.of(key).state;
  }
}
