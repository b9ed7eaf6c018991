import { atLeast } from './options.ts';

/** Options of a {@link RetryBudget}. */
export interface RetryBudgetOptions {
  /** Retries earned by one request, 0..1 (default 0.2: retries add at most 20 % to the load). */
  readonly budgetRatio?: number;
  /** Retries earned each second whatever the load (default 10), so that a quiet client may retry too. */
  readonly minRetriesPerSecond?: number;
  /** Monotonic clock in milliseconds (default `performance`). */
  readonly clock?: { now(): number };
}

/** Seconds of `minRetriesPerSecond` that may be saved up (Finagle keeps a reserve of its window's ten seconds). */
const reserveSeconds = 10;

/**
 * Bounds what retries add to the load of one service: a token bucket to which a request brings `budgetRatio` and a second
 * `minRetriesPerSecond`, and from which a retry takes 1. It starts full and holds 10 seconds of the floor, at least 1 when
 * it may earn anything. Within any time t, retries <= capacity + ratio x requests + floor x t.
 *
 * Source: Finagle's RetryBudget (ratio, floor per second, reserve of ten seconds) and gRPC's retry throttling (one bucket).
 */
export class RetryBudget {
  readonly #ratio: number;
  readonly #perMs: number;
  readonly #capacity: number;
  readonly #clock: { now(): number };
  #tokens: number;
  #at: number;

  /** @throws RangeError when an option is out of range. */
  constructor(options: RetryBudgetOptions = {}) {
    const { budgetRatio = 0.2, minRetriesPerSecond = 10, clock = performance } = options;
    this.#ratio = atLeast('retry.budgetRatio', budgetRatio, 0);
    if (budgetRatio > 1) {
      throw new RangeError(
        `serviceClient: retry.budgetRatio must be a ratio from 0 to 1, got ${budgetRatio}`,
      );
    }
    this.#perMs = atLeast('retry.minRetriesPerSecond', minRetriesPerSecond, 0) / 1000;
    const earns = budgetRatio > 0 || minRetriesPerSecond > 0;
    this.#capacity = Math.max(earns ? 1 : 0, minRetriesPerSecond * reserveSeconds);
    this.#clock = clock;
    this.#tokens = this.#capacity;
    this.#at = clock.now();
  }

  /** Retries that may start now. */
  get available(): number {
    this.#earn();
    return Math.floor(this.#tokens);
  }

  /** A request (not a retry) was made. */
  deposit(): void {
    this.#earn();
    this.#add(this.#ratio);
  }

  /** Takes one retry out of the budget; false, and nothing taken, when it is used up. */
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
