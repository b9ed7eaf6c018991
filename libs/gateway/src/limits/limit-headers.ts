import { rateLimitHeaders, type RateLimitState } from '@mesh/resilience';
import type { LimitRule } from './rate-limit-rules.ts';

/**
 * The fields of draft-ietf-httpapi-ratelimit-headers-10 for one limit, as `rateLimitHeaders` of `@mesh/resilience` writes them. What does not
 * change is made once: for every answer it would cost more than the limit itself.
 */
export class LimitHeaders {
  /** The item of `RateLimit-Policy`. */
  readonly policy: string;
  readonly #name: string;
  readonly #quota: number;

  constructor({ name, limit, periodMs }: LimitRule) {
    const state = { name, limit, periodMs, remaining: Infinity, resetMs: 0, retryAfterMs: 0 };
    const { 'RateLimit-Policy': policy, RateLimit: item } = rateLimitHeaders(state);
    this.policy = policy;
    this.#name = item.slice(0, item.indexOf(';'));
    // With endless permits what remains is the quota.
    this.#quota = Number(/;r=(\d+)/.exec(item)?.[1]);
  }

  /** The item of `RateLimit`. */
  item({ remaining, resetMs }: RateLimitState): string {
    return `${this.#name};r=${Math.min(remaining, this.#quota)};t=${Math.ceil(resetMs / 1000 - 1e-9)}`;
  }
}
