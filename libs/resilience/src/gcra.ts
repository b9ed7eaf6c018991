import { roundingMs, type Rate, type RateLaw } from './rate-law.ts';

/**
 * Generic cell rate algorithm (ITU-T I.371), the virtual scheduling form. One number a cell: the theoretical arrival time, at
 * which a permit would arrive if all came evenly spaced. A call may come as much too early as `burst` allows. It is the
 * token bucket of `burst` tokens that are refilled continuously, without a token count and without a refill.
 */
export class Gcra implements RateLaw {
  readonly width = 1;
  #capacity: number;
  #intervalMs: number;
  #toleranceMs: number;

  constructor({ limit, periodMs, burst }: Rate) {
    this.#capacity = burst;
    this.#intervalMs = periodMs / limit;
    this.#toleranceMs = burst * this.#intervalMs;
  }

  get capacity(): number {
    return this.#capacity;
  }

  clear(cells: Float64Array, at: number): void {
    cells[at] = -Infinity;
  }

  waitMs(cells: Float64Array, at: number, weight: number, now: number): number {
    const wait = this.#owedMs(cells, at, now) + weight * this.#intervalMs - this.#toleranceMs;
    return wait < roundingMs ? 0 : wait;
  }

  take(cells: Float64Array, at: number, weight: number, now: number): void {
    cells[at] = Math.max(cells[at] ?? 0, now) + weight * this.#intervalMs;
  }

  giveBack(cells: Float64Array, at: number, weight: number): void {
    cells[at] = (cells[at] ?? 0) - weight * this.#intervalMs;
  }

  /** Afterwards one permit is there, and the others come one by one. */
  pause(cells: Float64Array, at: number, ms: number, now: number): void {
    cells[at] = Math.max(cells[at] ?? 0, now + ms + this.#toleranceMs - this.#intervalMs);
  }

  drain(cells: Float64Array, at: number, now: number): void {
    cells[at] = Math.max(cells[at] ?? 0, now + this.#toleranceMs);
  }

  remaining(cells: Float64Array, at: number, now: number): number {
    const free = this.#toleranceMs - this.#owedMs(cells, at, now) + roundingMs;
    return Math.max(0, Math.min(this.#capacity, Math.floor(free / this.#intervalMs)));
  }

  resetMs(cells: Float64Array, at: number, now: number): number {
    return this.#owedMs(cells, at, now);
  }

  /** What is owed is permits up to the burst, and time (a pause) beyond it. */
  change(rate: Rate, cells: Float64Array, places: Iterable<number>, now: number): void {
    const before = { intervalMs: this.#intervalMs, toleranceMs: this.#toleranceMs };
    this.#capacity = rate.burst;
    this.#intervalMs = rate.periodMs / rate.limit;
    this.#toleranceMs = rate.burst * this.#intervalMs;
    for (const at of places) {
      const owedMs = this.#owedMs(cells, at, now);
      if (owedMs === 0) continue;
      const pauseMs = Math.max(0, owedMs - before.toleranceMs);
      cells[at] = now + ((owedMs - pauseMs) / before.intervalMs) * this.#intervalMs + pauseMs;
    }
  }

  #owedMs(cells: Float64Array, at: number, now: number): number {
    return Math.max(0, (cells[at] ?? 0) - now);
  }
}
