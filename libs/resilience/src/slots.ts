import { Alarm } from './alarm.ts';
import { bulkheadFullError } from './bulkhead-full-error.ts';
import type { Call } from './call.ts';
import type { Next } from './policy.ts';
import { rejection } from './start.ts';
import type { Clock, Timers } from './time.ts';
import { Waiter, WaitLine, type Queue } from './wait-line.ts';

/** What may be changed while calls are under way. */
export interface SlotBounds {
  readonly limit: number;
  readonly maxQueue: number;
}

/** What stays the same, checked. */
export interface SlotSettings {
  readonly name: string;
  readonly maxWaitMs: number;
  readonly lifoAfterMs: number;
  readonly clock: Clock;
  readonly timers: Timers;
}

/**
 * A number of slots and the queue before them. A slot that becomes free goes to a waiter in the same step, so nobody gets in
 * between; while anybody waits, newcomers queue behind.
 */
export class Slots implements Queue {
  readonly settings: SlotSettings;
  readonly #waiters = new WaitLine();
  readonly #alarm: Alarm;
  readonly #timed: boolean;
  #limit: number;
  #maxQueue: number;
  #active = 0;
  #serving = false;

  constructor({ limit, maxQueue }: SlotBounds, settings: SlotSettings) {
    this.settings = settings;
    this.#limit = limit;
    this.#maxQueue = maxQueue;
    this.#timed = settings.maxWaitMs < Infinity || settings.lifoAfterMs < Infinity;
    this.#alarm = new Alarm(settings.clock, settings.timers, () => {
      this.#sendAwayLate();
    });
  }

  get limit(): number {
    return this.#limit;
  }

  get active(): number {
    return this.#active;
  }

  get queued(): number {
    return this.#waiters.size;
  }

  get available(): boolean {
    return this.#active < this.#limit && this.#waiters.size === 0;
  }

  tryTake(): boolean {
    if (this.#active >= this.#limit || this.#waiters.size > 0) return false;
    this.#active++;
    return true;
  }

  /** Gives a slot back. */
  release(): void {
    this.#active--;
    if (this.#waiters.size > 0) this.#serve();
  }

  change({ limit, maxQueue }: SlotBounds): void {
    this.#limit = limit;
    this.#maxQueue = maxQueue;
    this.#serve();
  }

  /** Waits for a slot, and runs the call with it. It is refused when the queue is full. */
  wait<T>(run: Next<T>, call: Call): Promise<T> {
    const { name, maxWaitMs, clock } = this.settings;
    if (call.aborted) return rejection(call.reason);
    if (this.#waiters.size >= this.#maxQueue) return rejection(bulkheadFullError(name, 'queue-full'));
    return new Waiter(call, run, 1, this.#timed ? clock.now() : 0, maxWaitMs).in(this) as Promise<T>;
  }

  add(waiter: Waiter): void {
    this.#waiters.add(waiter);
    if (waiter.deadline < Infinity) this.#alarm.setBy(waiter.deadline);
  }

  leave(waiter: Waiter): boolean {
    const left = this.#waiters.remove(waiter);
    if (this.#waiters.size === 0) this.#alarm.off();
    return left;
  }

  /** A waiter may give slots back while it is let go on: then this loop goes on, and not one in it. */
  #serve(): void {
    if (this.#serving) return;
    this.#serving = true;
    try {
      while (this.#active < this.#limit) {
        const waiter = this.#next();
        if (waiter === undefined) break;
        this.leave(waiter);
        this.#active++;
        waiter.grant();
      }
    } finally {
      this.#serving = false;
    }
  }

  /** The oldest; or the newest while the oldest has waited so long that its caller may be gone. */
  #next(): Waiter | undefined {
    const { first, last } = this.#waiters;
    const { lifoAfterMs, clock } = this.settings;
    if (first === undefined || lifoAfterMs === Infinity) return first;
    return clock.now() - first.since > lifoAfterMs ? last : first;
  }

  #sendAwayLate(): void {
    const now = this.settings.clock.now();
    for (let first = this.#waiters.first; first !== undefined; first = this.#waiters.first) {
      if (first.deadline > now) {
        this.#alarm.setBy(first.deadline);
        return;
      }
      this.leave(first);
      first.refuse(bulkheadFullError(this.settings.name, 'wait-too-long'));
    }
  }
}
