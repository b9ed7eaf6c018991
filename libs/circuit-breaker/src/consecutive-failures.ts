import { count } from './check.ts';
import type { Outcome } from './gate.ts';
import type { TripCounts, TripMeter, TripRule } from './trip-rule.ts';

/** Opens after so many failures in a row (an integer >= 1), however long that takes. @throws RangeError when it is out of its range. */
export function consecutiveFailures(failures: number): TripRule {
  const most = count('consecutiveFailures', failures);
  return { needs: 'outcomes', meter: () => new StreakMeter(most) };
}

class StreakMeter implements TripMeter {
  readonly #most: number;
  #streak = 0;

  constructor(most: number) {
    this.#most = most;
  }

  end(outcome: Outcome): boolean {
    if (outcome === 'success') this.#streak = 0;
    return outcome === 'failure' && ++this.#streak >= this.#most;
  }

  counts(): TripCounts {
    return { calls: this.#streak, failures: this.#streak, slow: 0 };
  }

  clear(): void {
    this.#streak = 0;
  }
}
