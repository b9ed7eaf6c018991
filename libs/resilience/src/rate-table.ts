import type { CallResult } from './call.ts';
import type { RateCells } from './rate-cells.ts';
import type { Rate, RateLaw } from './rate-law.ts';
import { RateLine } from './rate-line.ts';
import type { Clock, Timers } from './time.ts';
import type { Waiter } from './wait-line.ts';

/** What stays the same over the life of a limiter, checked. */
export interface RateSettings {
  readonly name: string;
  readonly maxWaitMs: number;
  readonly retryAfterMs: ((result: CallResult) => number | undefined) | undefined;
  readonly clock: Clock;
  readonly timers: Timers;
}

/** A law, the cells that it is applied to, and the lines of those who wait. */
export class RateTable {
  readonly law: RateLaw;
  readonly cells: RateCells;
  readonly settings: RateSettings;
  rate: Rate;
  readonly #lines = new Map<number, RateLine>();

  constructor(law: RateLaw, cells: RateCells, rate: Rate, settings: RateSettings) {
    this.law = law;
    this.cells = cells;
    this.rate = rate;
    this.settings = settings;
  }

  /** Takes permits at once, or none. Nobody overtakes those who wait. */
  tryTake(at: number, weight: number, now: number): boolean {
    if (this.#lines.size > 0 && this.#lines.has(at)) return false;
    const { cells } = this.cells;
    if (this.law.waitMs(cells, at, weight, now) > 0) return false;
    this.law.take(cells, at, weight, now);
    return true;
  }

  /** How long a call of this weight would wait for its turn. */
  waitMs(at: number, weight: number, now: number): number {
    if (weight > this.law.capacity) return Infinity;
    return this.law.waitMs(this.cells.cells, at, weight + (this.#lines.get(at)?.weight ?? 0), now);
  }

  /** Who is waiting at this cell. */
  queued(at: number): number {
    return this.#lines.get(at)?.size ?? 0;
  }

  join(at: number, waiter: Waiter): RateLine {
    let line = this.#lines.get(at);
    if (line === undefined) {
      line = new RateLine(this, at);
      this.#lines.set(at, line);
      this.cells.hold(at, true);
    }
    line.add(waiter);
    return line;
  }

  /** A line has ended. */
  forget(at: number, line: RateLine): void {
    if (this.#lines.get(at) !== line) return;
    this.#lines.delete(at);
    this.cells.hold(at, false);
  }

  /** Something else than time has changed what may pass. */
  serve(at: number): void {
    this.#lines.get(at)?.serve();
  }

  change(rate: Rate): void {
    this.rate = rate;
    this.law.change(rate, this.cells.cells, this.cells.places(), this.settings.clock.now());
    for (const line of [...this.#lines.values()]) line.serve();
  }
}
