import { maxDelayMs, type Clock, type Timers } from './time.ts';

/**
 * One timer that is set only while somebody waits. It may ring early (a timer was set for one who has left): who hears it looks at
 * the clock and sets it anew. So leaving costs no timer.
 */
export class Alarm {
  readonly #clock: Clock;
  readonly #timers: Timers;
  readonly #ring: () => void;
  #handle: unknown;
  #at = Infinity;

  constructor(clock: Clock, timers: Timers, ring: () => void) {
    this.#clock = clock;
    this.#timers = timers;
    this.#ring = () => {
      this.#at = Infinity;
      ring();
    };
  }

  /** Rings at this time at the latest. */
  setBy(time: number): void {
    if (time >= this.#at) return;
    this.off();
    this.#at = time;
    const delayMs = Math.max(1, Math.ceil(time - this.#clock.now()));
    this.#handle = this.#timers.set(this.#ring, Math.min(delayMs, maxDelayMs));
  }

  off(): void {
    if (this.#at === Infinity) return;
    this.#at = Infinity;
    this.#timers.clear(this.#handle);
  }
}
