import type { Outcome } from './gate.ts';
import { TimeWindow } from './time-window.ts';
import type { TripCounts, TripMeter, TripRule } from './trip-rule.ts';

/**
 * Opens after `most` failures in the last `windowMs` milliseconds: the rule of a breaker that names no other. By time nothing pushes a failure
 * out but time, so that successes need not be counted, and cost no look at the clock.
 */
export function failuresInTime(most: number, windowMs: number): TripRule {
  return { needs: 'failures', meter: () => new FailureMeter(most, windowMs) };
}

/** Knows failures only: a call in its window is one. */
class FailureMeter implements TripMeter {
  readonly #window: TimeWindow;
  readonly #most: number;

  constructor(most: number, windowMs: number) {
    this.#window = new TimeWindow(windowMs);
    this.#most = most;
  }

  end(_outcome: Outcome, now: number): boolean {
    this.#window.record(false, false, now);
    return this.#window.calls >= this.#most;
  }

  counts(now: number): TripCounts {
    this.#window.catchUp(now);
    const { calls } = this.#window;
    return { calls, failures: calls, slow: 0 };
  }

  clear(): void {
    this.#window.clear();
  }
}
