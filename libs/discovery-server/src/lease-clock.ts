import type { Clock } from '@mesh/discovery-client';

/** The clock has to be read at least this often, or the process is taken to have stood still. */
export const pulseMs = 250;

/** Lateness of a timer that is still ordinary. */
const toleranceMs = 50;

/**
 * A clock that stands still while this process does. A registry that was paused (a stopped process, a blocked event loop)
 * heard no heartbeat and must not blame the instances: the time it lost is not charged to their leases.
 * Eureka compensates its eviction timer the same way.
 */
export class LeaseClock {
  readonly #clock: Clock;
  #readAtMs: number;
  #lostMs = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#readAtMs = clock.now();
  }

  /** Milliseconds lost to stalls so far. */
  get lostMs(): number {
    return this.#lostMs;
  }

  /** Milliseconds of time in which this process was able to listen. */
  now(): number {
    const now = this.#clock.now();
    const gap = now - this.#readAtMs;
    if (gap > pulseMs + toleranceMs) this.#lostMs += gap - pulseMs;
    this.#readAtMs = now;
    return now - this.#lostMs;
  }
}
