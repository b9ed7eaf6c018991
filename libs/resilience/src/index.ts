export type { AbortSignalLike, CallSignal } from '@mesh/circuit-breaker';
export {
  AdaptiveConcurrency,
  adaptiveConcurrency,
  isOverload,
  type AdaptiveConcurrencyOptions,
} from './adaptive-concurrency.ts';
export { aimd, type AimdOptions } from './aimd.ts';
export { attemptsOf, type Throws } from './attempts.ts';
export { backoff, type Backoff, type BackoffOptions } from './backoff.ts';
export { BulkheadFullError, isBulkheadFullError, type BulkheadFullReason } from './bulkhead-full-error.ts';
export {
  Bulkhead,
  bulkhead,
  type BulkheadBounds,
  type BulkheadOptions,
  type QueueOptions,
} from './bulkhead.ts';
export { Call, type Attempt, type CallContext, type CallFunction, type CallResult } from './call.ts';
export type { Fault } from './events.ts';
export {
  Fallback,
  fallback,
  type FallbackEvents,
  type FallbackFunction,
  type FallbackOptions,
} from './fallback.ts';
export { gradient, type GradientOptions } from './gradient.ts';
export type { HedgeEvents, HedgeOptions } from './hedge-options.ts';
export { Hedge, hedge } from './hedge.ts';
export type { Handle } from './judge.ts';
export { KeyedRateLimiter, keyedRateLimiter, type KeyedRateLimiterOptions } from './keyed-rate-limiter.ts';
export type { LimitFinder, LimitLaw, LimitSample } from './limit-law.ts';
export { Pipeline, pipeline } from './pipeline.ts';
export type { Next, OutOf, Policy } from './policy.ts';
export { Protection, type AsyncMethod, type ExecuteOptions, type WrapOptions } from './protection.ts';
export {
  rateLimitHeaders,
  usedUpMs,
  type RateLimitHeaders,
  type RateLimitState,
} from './rate-limit-headers.ts';
export { RateLimitedError, isRateLimitedError } from './rate-limited-error.ts';
export { RateLimiter, rateLimiter } from './rate-limiter.ts';
export type { RateLimiterOptions, RateOptions } from './rate-options.ts';
export { retryAfterMs } from './retry-after.ts';
export { RetryBudget, type RetryBudgetOptions } from './retry-budget.ts';
export type { GiveUpReason, RetryEvents, RetryOptions } from './retry-options.ts';
export { Retry, retry } from './retry.ts';
export { standard, type StandardOptions } from './standard.ts';
export { TimeLimiter, timeLimiter, type TimeLimiterEvents, type TimeLimiterOptions } from './time-limiter.ts';
export { platformTimers, type Clock, type Random, type Timers } from './time.ts';
export { TimeoutError, isTimeoutError } from './timeout-error.ts';
