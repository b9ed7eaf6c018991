import { withoutStack } from './without-stack.ts';

/** A call that was not made, because too many were made before it. It has no stack trace. */
export class RateLimitedError extends Error {
  declare readonly name: 'RateLimitedError';
  /** `@mesh/problem` answers it as 429 with `Retry-After`. */
  declare readonly code: 'ERR_RATE_LIMITED';
  /** Name of the limiter. */
  readonly limiter: string;
  /** Milliseconds until a call of this weight may pass, rounded up; `Infinity` when it is heavier than the limit allows at once. */
  readonly retryAfterMs: number;

  static {
    Object.assign(this.prototype, { name: 'RateLimitedError', code: 'ERR_RATE_LIMITED' });
  }

  constructor(limiter: string, retryAfterMs: number) {
    super(`rate limit "${limiter}" is used up for ${retryAfterMs} ms`);
    this.limiter = limiter;
    this.retryAfterMs = retryAfterMs;
  }
}

export function rateLimitedError(limiter: string, waitMs: number): RateLimitedError {
  return withoutStack(() => new RateLimitedError(limiter, Math.ceil(waitMs)));
}

/** Whether `error` is a {@link RateLimitedError}, of this or of another installed copy. */
export function isRateLimitedError(error: unknown): error is RateLimitedError {
  return error instanceof Error && (error as { code?: unknown }).code === 'ERR_RATE_LIMITED';
}
