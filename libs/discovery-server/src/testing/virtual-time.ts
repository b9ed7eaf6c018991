import type { Clock, Timers } from '@mesh/discovery-client';

interface Timer {
  readonly dueMs: number;
  readonly callback: () => void;
}

/** Time that moves only when it is told to; timers run in the order in which they are due. */
export class VirtualTime implements Clock {
  readonly #timers = new Set<Timer>();
  #nowMs = 0;

  readonly timers: Timers = {
    set: (callback, delayMs) => {
      const timer = { dueMs: this.#nowMs + delayMs, callback };
      this.#timers.add(timer);
      return timer;
    },
    clear: (handle) => {
      this.#timers.delete(handle as Timer);
    },
  };

  /** A wall clock that starts on 2026-01-01. */
  readonly wallClock: Clock = { now: () => Date.UTC(2026, 0, 1) + Math.trunc(this.#nowMs) };

  /** Timers that are set. */
  get pending(): number {
    return this.#timers.size;
  }

  now(): number {
    return this.#nowMs;
  }

  /** Moves on, running every timer at its time. */
  advance(ms: number): void {
    const untilMs = this.#nowMs + ms;
    for (let next = this.#first(untilMs); next !== undefined; next = this.#first(untilMs)) {
      this.#timers.delete(next);
      this.#nowMs = Math.max(this.#nowMs, next.dueMs);
      next.callback();
    }
    this.#nowMs = untilMs;
  }

  /** Moves on without running anything, like a process that stands still. */
  stall(ms: number): void {
    this.#nowMs += ms;
  }

  #first(untilMs: number): Timer | undefined {
    let first: Timer | undefined;
    for (const timer of this.#timers) {
      if (timer.dueMs <= untilMs && timer.dueMs < (first?.dueMs ?? Infinity)) first = timer;
    }
    return first;
  }
}
