import { Alarm } from './alarm.ts';
import type { Clock, Timers } from './time.ts';

/** Something whose time will be up. */
export interface Expiring {
  /** Time of the clock in milliseconds. */
  readonly endsAt: number;
  next: Expiring | undefined;
  previous: Expiring | undefined;
  /** Its time is up; it has been removed. */
  expire(): void;
}

/** Wakes what has been added and not removed when its time is up. */
export interface Deadlines {
  add(entry: Expiring): void;
  /** Takes out an entry that was added and has not expired. */
  remove(entry: Expiring): void;
}

/** A timer that nobody needs stays set so long, so that calls one after the other do not each set and clear one. */
const idleMs = 50;

/** For what ends in order of arrival, as everything of one duration does: a linked list and one timer, however many there are. */
export class FifoDeadlines implements Deadlines {
  readonly #clock: Clock;
  readonly #timers: Timers;
  readonly #alarm: Alarm;
  #first: Expiring | undefined;
  #last: Expiring | undefined;
  #idling = false;

  constructor(clock: Clock, timers: Timers) {
    this.#clock = clock;
    this.#timers = timers;
    this.#alarm = new Alarm(clock, timers, () => {
      this.#expireDue();
    });
  }

  add(entry: Expiring): void {
    entry.previous = this.#last;
    if (this.#last === undefined) this.#first = entry;
    else this.#last.next = entry;
    this.#last = entry;
    this.#alarm.setBy(entry.endsAt);
  }

  remove(entry: Expiring): void {
    const { next, previous } = entry;
    if (previous === undefined) this.#first = next;
    else previous.next = next;
    if (next === undefined) this.#last = previous;
    else next.previous = previous;
    entry.next = entry.previous = undefined;
    if (this.#first === undefined && !this.#idling) this.#idle();
  }

  #expireDue(): void {
    const now = this.#clock.now();
    for (let due = this.#first; due !== undefined && due.endsAt <= now; due = this.#first) {
      this.remove(due);
      due.expire();
    }
    if (this.#first !== undefined) this.#alarm.setBy(this.#first.endsAt);
  }

  #idle(): void {
    this.#idling = true;
    this.#timers.set(() => {
      this.#idling = false;
      if (this.#first === undefined) this.#alarm.off();
    }, idleMs);
  }
}

/** For ends in any order: a timer for each. */
export class OwnDeadlines implements Deadlines {
  readonly #clock: Clock;
  readonly #timers: Timers;
  readonly #handles = new Map<Expiring, unknown>();

  constructor(clock: Clock, timers: Timers) {
    this.#clock = clock;
    this.#timers = timers;
  }

  add(entry: Expiring): void {
    const expire = (): void => {
      this.#handles.delete(entry);
      entry.expire();
    };
    this.#handles.set(entry, this.#timers.set(expire, Math.max(0, entry.endsAt - this.#clock.now())));
  }

  remove(entry: Expiring): void {
    this.#timers.clear(this.#handles.get(entry));
    this.#handles.delete(entry);
  }
}
