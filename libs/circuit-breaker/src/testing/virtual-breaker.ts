import { CircuitBreaker } from '../circuit-breaker.ts';
import type { CircuitBreakerOptions } from '../options.ts';
import { fail } from './calls.ts';
import { VirtualClock } from './virtual-clock.ts';

/** A breaker on virtual time. */
export interface VirtualBreaker {
  readonly breaker: CircuitBreaker;
  readonly pass: (ms: number) => void;
}

export function virtual(options: Omit<CircuitBreakerOptions, 'clock'> = {}, startAt = 0): VirtualBreaker {
  const clock = new VirtualClock(startAt);
  return {
    breaker: new CircuitBreaker({ name: 'users', ...options, clock }),
    pass: (ms) => {
      clock.pass(ms);
    },
  };
}

/** One failure opens it, one good trial after 100 ms closes it. */
export const brittle = {
  maximumFailuresAllowed: 1,
  resetTimeoutInMilliseconds: 100,
  successThreshold: 1,
} as const satisfies CircuitBreakerOptions;

/** Fails so many calls; three open a breaker of the defaults. */
export async function trip(breaker: CircuitBreaker, times = 3): Promise<void> {
  for (let time = 0; time < times; time++) await breaker.execute(fail).catch(() => undefined);
}

/** A breaker that is half-open, all its trials to come. */
export async function halfOpen(options: Omit<CircuitBreakerOptions, 'clock'> = {}): Promise<VirtualBreaker> {
  const both = virtual({ ...brittle, ...options });
  await trip(both.breaker, 1);
  both.pass(both.breaker.retryAfterMs);
  return both;
}
