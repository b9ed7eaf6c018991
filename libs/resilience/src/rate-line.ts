import { Alarm } from './alarm.ts';
import { rateLimitedError } from './rate-limited-error.ts';
import type { RateTable } from './rate-table.ts';
import { WaitLine, type Queue, type Waiter } from './wait-line.ts';

/**
 * Those who wait for permits of one cell, in order of arrival. Nothing is taken before its turn comes, so one who leaves gives
 * its reservation back, and all behind it move up.
 */
export class RateLine implements Queue {
  readonly #table: RateTable;
  readonly #at: number;
  readonly #waiters = new WaitLine();
  readonly #alarm: Alarm;

  constructor(table: RateTable, at: number) {
    this.#table = table;
    this.#at = at;
    this.#alarm = new Alarm(table.settings.clock, table.settings.timers, () => {
      this.serve();
    });
  }

  get size(): number {
    return this.#waiters.size;
  }

  /** Permits that those in the line ask for. */
  get weight(): number {
    return this.#waiters.weight;
  }

  add(waiter: Waiter): void {
    this.#waiters.add(waiter);
    if (this.#waiters.size === 1) this.serve();
  }

  leave(waiter: Waiter): boolean {
    const first = this.#waiters.first === waiter;
    if (!this.#waiters.remove(waiter)) return false;
    if (first) this.serve();
    return true;
  }

  /** Lets go on who can, sends away who waited too long, and comes back when the next one's time is there. */
  serve(): void {
    const { law, cells, settings } = this.#table;
    for (let first = this.#waiters.first; first !== undefined; first = this.#waiters.first) {
      const now = settings.clock.now();
      const waitMs = law.waitMs(cells.cells, this.#at, first.weight, now);
      if (waitMs > 0 && now < first.deadline) {
        this.#alarm.setBy(Math.min(now + waitMs, first.deadline));
        return;
      }
      this.#waiters.remove(first);
      if (waitMs > 0) {
        first.refuse(rateLimitedError(settings.name, waitMs));
      } else {
        law.take(cells.cells, this.#at, first.weight, now);
        first.grant();
      }
    }
    this.#alarm.off();
    this.#table.forget(this.#at, this);
  }
}
