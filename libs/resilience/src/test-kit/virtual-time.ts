import { maxDelayMs, type Clock, type Timers } from '../time.ts';

interface Timer {
  readonly at: number;
  readonly callback: () => void;
}

/** Options of virtual time. */
export interface VirtualTimeOptions {
  /** What `now()` begins with, in milliseconds. Default 0. */
  readonly startMs?: number;
  /** What {@link VirtualTime.wallClock} begins with, in milliseconds since 1970. Default 2026-01-01. */
  readonly wallStartMs?: number;
}

/**
 * A clock and timers that move only when they are told to, in one object: pass it for both. It needs nothing of the platform.
 *
 * @example
 * const time = new VirtualTime();
 * const limiter = rateLimiter({ limit: 1, maxWaitMs: 5000, clock: time, timers: time });
 * await limiter.execute(work);
 * const second = limiter.execute(work);
 * await time.advance(1000); // now the second has passed
 */
export class VirtualTime implements Clock, Timers {
  /** In order of time, and of setting where times are equal. */
  readonly #timers: Timer[] = [];
  #now: number;

  /** The same time as a wall clock shows it, in whole milliseconds since 1970. */
  readonly wallClock: Clock;

  constructor({ startMs = 0, wallStartMs = Date.UTC(2026, 0, 1) }: VirtualTimeOptions = {}) {
    this.#now = startMs;
    this.wallClock = { now: () => wallStartMs + Math.trunc(this.#now - startMs) };
  }

  /** Timers that are set. */
  get pending(): number {
    return this.#timers.length;
  }

  now(): number {
    return this.#now;
  }

  /** @throws RangeError for a delay that no platform keeps: negative, NaN, or longer than 2^31 - 1. */
  set(callback: () => void, delayMs: number): unknown {
    if (!(delayMs >= 0 && delayMs <= maxDelayMs))
      throw new RangeError(`virtualTime: delayMs must be a number from 0 to ${maxDelayMs}, got ${delayMs}`);
    const timer: Timer = { at: this.#now + delayMs, callback };
    this.#timers.splice(this.#dueBy(timer.at), 0, timer);
    return timer;
  }

  clear(handle: unknown): void {
    const index = this.#timers.indexOf(handle as Timer);
    if (index >= 0) this.#timers.splice(index, 1);
  }

  /** Moves on, firing every timer at its time, in order, and letting promises settle before and after each. */
  async advance(ms: number): Promise<void> {
    const until = this.#now + ms;
    await settle();
    while (this.#fire(until)) await settle();
    this.#now = Math.max(this.#now, until);
  }

  /** Moves on, firing every timer at its time, in order, all in one go: promises settle afterwards. */
  advanceSync(ms: number): void {
    const until = this.#now + ms;
    while (this.#fire(until));
    this.#now = Math.max(this.#now, until);
  }

  /** Moves on without firing anything, as for a process that stands still; what is overdue then fires with the next advance. */
  stall(ms: number): void {
    this.#now += ms;
  }

  #fire(until: number): boolean {
    const [first] = this.#timers;
    if (first === undefined || first.at > until) return false;
    this.#timers.shift();
    this.#now = Math.max(this.#now, first.at);
    first.callback();
    return true;
  }

  /** How many timers are due at this time. */
  #dueBy(time: number): number {
    let low = 0;
    let high = this.#timers.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#timers[middle]?.at ?? Infinity) <= time) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

/** Microtasks that a chain of promises may take to settle: more than any sane one does. */
const turns = 100;

/** Lets everything happen that needs neither time nor I/O. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < turns; turn++) await Promise.resolve();
}
