import { atLeastZero, between } from './range.ts';
import { platformClock, type Clock } from './time.ts';

/** Options of a {@link RetryBudget}. */
export interface RetryBudgetOptions {
  /** Retries earned by one request, 0..1. Default 0.2: retries add at most 20 % to the load. */
  readonly budgetRatio?: number;
  /** Retries earned each second whatever the load, so that a quiet client may retry too. Default 10. */
  readonly minRetriesPerSecond?: number;
  /** Monotonic clock in milliseconds. Default `performance`. */
  readonly clock?: Clock;
}

/** Seconds of `minRetriesPerSecond` that may be saved up (Finagle keeps a reserve of its window's ten seconds). */
const reserveSeconds = 10;

/**
 * Bounds what retries and hedges add to the load of one service: a token bucket to which a request brings `budgetRatio` and a
 * second `minRetriesPerSecond`, and from which an extra attempt takes 1. It starts full and holds 10 seconds of the floor, at
 * least 1 when it may earn anything. Within any time t, extra attempts <= capacity + ratio x requests + floor x t.
 *
 * Give one budget to everything that calls the same service.
 *
 * Source: Finagle's RetryBudget (ratio, floor per second, reserve of ten seconds) and gRPC's retry throttling (one bucket).
 */
export class RetryBudget {
  readonly #ratio: number;
  readonly #perMs: number;
  readonly #capacity: number;
  readonly #clock: Clock;
  #tokens: number;
  #at: number;

  /** @throws RangeError when an option is out of range. */
  constructor(options: RetryBudgetOptions = {}) {
    const { budgetRatio = 0.2, minRetriesPerSecond = 10, clock = platformClock } = options;
    this.#ratio = between('resilience: budgetRatio', budgetRatio, 0, 1);
    this.#perMs = atLeastZero('resilience: minRetriesPerSecond', minRetriesPerSecond) / 1000;
    const earns = budgetRatio > 0 || minRetriesPerSecond > 0;
    this.#capacity = Math.max(earns ? 1 : 0, minRetriesPerSecond * reserveSeconds);
    this.#clock = clock;
    this.#tokens = this.#capacity;
    this.#at = clock.now();
  }

  /** Extra attempts that may start now. */
  get available(): number {
    this.#earn();
    return Math.floor(this.#tokens);
  }

  /** A request (not a retry) was made. */
  deposit(): void {
    // No clock: what time has earned may as well be added later, as long as it is before the next withdrawal.
    this.#add(this.#ratio);
  }

  /** Takes one extra attempt out of the budget; false, and nothing taken, when it is used up. */
  tryWithdraw(): boolean {
    this.#earn();
    if (this.#tokens < 1) return false;
    this.#tokens -= 1;
    return true;
  }

  #earn(): void {
    const now = this.#clock.now();
    // A clock that was read out of order earns nothing.
    if (now <= this.#at) return;
    this.#add((now - this.#at) * this.#perMs);
    this.#at = now;
  }

  #add(tokens: number): void {
    this.#tokens = Math.min(this.#capacity, this.#tokens + tokens);
  }
}
