import { count, duration, ratio } from './check.ts';
import type { Outcome } from './gate.ts';
import type { TripCounts, TripMeter, TripRule } from './trip-rule.ts';

/** Options of {@link successAverage}. */
export interface SuccessAverageOptions {
  /** Below this share of successes the circuit opens, 0..1. Default 0.8. */
  readonly below?: number;
  /** After so many milliseconds a call weighs 1/e of what it did. Default 30 000. */
  readonly decayMs?: number;
  /** So many calls must have been seen since the circuit last closed. Default 5. */
  readonly minimumCalls?: number;
}

/**
 * Opens when the exponentially weighted average of success falls below a threshold: a memory without edges, in two numbers.
 * A call weighs `e^(-age/decayMs)`; the average is the weight of the successes over the weight of all.
 * Source of the defaults: Finagle's success-rate failure accrual (0.8 over 30 s, 5 requests).
 *
 * @throws RangeError when an option is out of its range.
 */
export function successAverage(options: SuccessAverageOptions = {}): TripRule {
  const below = ratio('below', options.below ?? 0.8);
  const decayMs = duration('decayMs', options.decayMs ?? 30_000);
  const least = count('minimumCalls', options.minimumCalls ?? 5);
  return { needs: 'times', meter: () => new AverageMeter(below, decayMs, least) };
}

class AverageMeter implements TripMeter {
  readonly #below: number;
  readonly #decayMs: number;
  readonly #least: number;
  /** Sum of the weights of all calls, and of the failed ones, at the time of the last one. */
  #weight = 0;
  #failed = 0;
  #calls = 0;
  #at = -Infinity;

  constructor(below: number, decayMs: number, least: number) {
    this.#below = below;
    this.#decayMs = decayMs;
    this.#least = least;
  }

  end(outcome: Outcome, now: number): boolean {
    this.#decay(now);
    this.#weight += 1;
    this.#calls++;
    if (outcome === 'failure') this.#failed += 1;
    return this.#calls >= this.#least && 1 - this.#failed / this.#weight < this.#below;
  }

  counts(now: number): TripCounts {
    this.#decay(now);
    return { calls: Math.round(this.#weight), failures: Math.round(this.#failed), slow: 0 };
  }

  clear(): void {
    this.#weight = this.#failed = this.#calls = 0;
  }

  /** A clock that was read out of order decays nothing. */
  #decay(now: number): void {
    if (now <= this.#at) return;
    const left = Math.exp((this.#at - now) / this.#decayMs);
    this.#weight *= left;
    this.#failed *= left;
    this.#at = now;
  }
}
