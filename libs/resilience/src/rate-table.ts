import type { Permit } from '@mesh/circuit-breaker';
import type { CallResult } from './call.ts';
import { outOfRange } from './range.ts';
import type { RateCells } from './rate-cells.ts';
import type { Rate, RateLaw } from './rate-law.ts';
import { RateLine } from './rate-line.ts';
import type { Clock, Timers } from './time.ts';

/** What stays the same over the life of a limiter, checked. */
export interface RateSettings {
  readonly name: string;
  readonly maxWaitMs: number;
  readonly retryAfterMs: ((result: CallResult) => number | undefined) | undefined;
  readonly clock: Clock;
  readonly timers: Timers;
}

/** A permit is spent when it is given; there is nothing left to settle. */
const spent: Permit = Object.freeze({
  settle: () => undefined,
  [Symbol.dispose]: () => undefined,
});

/** At most this share of a burst is given out without a look at the clock, which costs as much as all the rest of a call. */
const aheadRatio = 1 / 64;

/**
 * A law, the cells that it is applied to, and the lines of those who wait.
 *
 * Where one cell is for everybody and its burst is large, a look at the clock is good for a few calls more: they are charged at the next
 * look, so a little later than they were made. That lets never more pass than the law does, and at most a 64th of the
 * burst less.
 */
export class RateTable {
  readonly law: RateLaw;
  readonly cells: RateCells;
  readonly settings: RateSettings;
  readonly #lines = new Map<number, RateLine>();
  #rate: Rate;
  /** Permits that may still be taken without a look at the clock, and those that were. */
  #ahead = 0;
  #uncharged = 0;

  constructor(law: RateLaw, cells: RateCells, rate: Rate, settings: RateSettings) {
    this.law = law;
    this.cells = cells;
    this.#rate = rate;
    this.settings = settings;
  }

  get rate(): Rate {
    return this.#rate;
  }

  /** Where the cell of this key begins, with everything charged. */
  locate(key: unknown, now: number): number {
    const at = this.cells.locate(key, now);
    if (this.#uncharged > 0) this.law.take(this.cells.cells, at, this.#uncharged, now);
    this.#ahead = this.#uncharged = 0;
    return at;
  }

  /** Takes one permit without a look at the clock, if the last look was good for it. */
  tryTakeAhead(): boolean {
    if (this.#ahead === 0) return false;
    this.#ahead--;
    this.#uncharged++;
    return true;
  }

  /** Takes permits at once, or none. Nobody overtakes those who wait. */
  tryTake(at: number, weight: number, now: number): boolean {
    if (this.#lines.size > 0 && this.#lines.has(at)) return false;
    const { cells } = this.cells;
    if (this.law.waitMs(cells, at, weight, now) > 0) return false;
    this.law.take(cells, at, weight, now);
    const ahead = this.cells.shared ? Math.floor(this.law.capacity * aheadRatio) : 0;
    if (ahead > 0) this.#ahead = Math.min(ahead, this.law.remaining(cells, at, now));
    return true;
  }

  /** Takes permits of a key for a call that its caller makes. @throws RangeError for a weight that can never pass. */
  acquire(key: unknown, weight: number): Permit | undefined {
    this.checkWeight(weight);
    if (weight === 1 && this.tryTakeAhead()) return spent;
    const now = this.settings.clock.now();
    return this.tryTake(this.locate(key, now), weight, now) ? spent : undefined;
  }

  checkWeight(weight: number): number {
    const { capacity } = this.law;
    if (Number.isSafeInteger(weight) && weight >= 1 && weight <= capacity) return weight;
    throw outOfRange('rateLimiter: weight', `an integer from 1 to ${capacity}`, weight);
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

  /** Where those wait who want permits of this cell. */
  line(at: number): RateLine {
    let line = this.#lines.get(at);
    if (line === undefined) {
      line = new RateLine(this, at);
      this.#lines.set(at, line);
      this.cells.hold(at, true);
    }
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
    const now = this.settings.clock.now();
    if (this.cells.shared) this.locate(undefined, now);
    this.#rate = rate;
    this.law.change(rate, this.cells.cells, this.cells.places(), now);
    for (const line of [...this.#lines.values()]) line.serve();
  }
}
