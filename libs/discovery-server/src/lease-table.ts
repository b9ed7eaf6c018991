import type { Clock, Timers } from '@mesh/discovery-client';
import { DeadlineQueue } from './deadline-queue.ts';
import type { Deadlined } from './deadline-queue.ts';
import { LeaseClock, pulseMs } from './lease-clock.ts';

/** What a {@link LeaseTable} needs. */
export interface LeaseTableOptions<T> {
  readonly clock: Clock;
  readonly timers: Timers;
  /** Called once for each lease that ran out, after it left the table, in the order of their ends. Must not throw. */
  readonly onExpired: (entry: T) => void;
}

/**
 * Leases that end unless they are renewed. One timer serves them all and wakes at the next end, at the latest after a
 * pulse of the {@link LeaseClock}; without leases there is no timer. {@link LeaseTable.sweep} is cheap enough to be called
 * before every read, which makes an end exact for readers however late the timer is.
 */
export class LeaseTable<T extends Deadlined> {
  readonly #queue = new DeadlineQueue<T>();
  readonly #clock: LeaseClock;
  readonly #timers: Timers;
  readonly #onExpired: (entry: T) => void;
  #timer: unknown;
  #wakesAtMs = Infinity;
  #sweeping = false;
  #closed = false;

  constructor({ clock, timers, onExpired }: LeaseTableOptions<T>) {
    this.#clock = new LeaseClock(clock);
    this.#timers = timers;
    this.#onExpired = onExpired;
  }

  get size(): number {
    return this.#queue.size;
  }

  /** The time that deadlines are in. */
  get nowMs(): number {
    return this.#clock.now();
  }

  /** Milliseconds of stalls that were not charged to the leases. */
  get lostMs(): number {
    return this.#clock.lostMs;
  }

  /** Begins or renews a lease: from now on it lasts `durationMs`. */
  grant(entry: T, durationMs: number): void {
    const now = this.#clock.now();
    // Whole milliseconds are kept within the record, fractions would be objects of their own.
    this.#queue.set(entry, Math.ceil(now + durationMs));
    if (entry.deadline < this.#wakesAtMs) this.#arm(now);
  }

  /** Ends a lease without calling `onExpired`. */
  release(entry: T): void {
    this.#queue.delete(entry);
  }

  /** Ends every lease that ran out by now. Called from `onExpired` it does nothing: ends happen one after the other. */
  sweep(): void {
    const now = this.#clock.now();
    if (this.#sweeping) return;
    this.#sweeping = true;
    for (let over = this.#queue.due(now); over !== undefined; over = this.#queue.due(now)) {
      this.#queue.delete(over);
      this.#onExpired(over);
    }
    this.#sweeping = false;
  }

  /** Stops the timer for good. */
  close(): void {
    this.#closed = true;
    this.#disarm();
  }

  #arm(now: number): void {
    this.#disarm();
    if (this.#queue.size === 0 || this.#closed) return;
    const nextPulseMs = now + pulseMs;
    this.#wakesAtMs = this.#queue.due(nextPulseMs)?.deadline ?? nextPulseMs;
    this.#timer = this.#timers.set(
      () => {
        this.sweep();
        this.#arm(this.#clock.now());
      },
      Math.max(1, Math.ceil(this.#wakesAtMs - now)),
    );
  }

  #disarm(): void {
    if (this.#wakesAtMs !== Infinity) this.#timers.clear(this.#timer);
    this.#wakesAtMs = Infinity;
  }
}
