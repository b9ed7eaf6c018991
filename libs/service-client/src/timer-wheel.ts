import type { Clock, Timers } from '@mesh/resilience';

/** Something that may ring once. Its links are part of it, so that arming it allocates nothing. */
export abstract class Alarm {
  /** When it is due, by the wheel's clock. May be put off while it is armed, never be brought forward. */
  dueAt = 0;
  next: Alarm | undefined = undefined;
  previous: Alarm | undefined = undefined;

  /** It is due. */
  abstract ring(): void;
}

/** A ring of alarms; empty when it is its own neighbour. */
class Slot extends Alarm {
  constructor() {
    super();
    this.next = this.previous = this;
  }

  ring(): void {
    // Nobody arms a slot.
  }

  add(alarm: Alarm): void {
    const last = this.previous ?? this;
    alarm.previous = last;
    alarm.next = this;
    last.next = this.previous = alarm;
  }

  /** Takes the first one out. */
  take(): Alarm | undefined {
    const first = this.next;
    if (first === this || first === undefined) return undefined;
    unlink(first);
    return first;
  }
}

function unlink(alarm: Alarm): void {
  const { next, previous } = alarm;
  if (previous !== undefined) previous.next = next;
  if (next !== undefined) next.previous = previous;
  alarm.next = alarm.previous = undefined;
}

/** A power of two. */
const slotCount = 512;

/**
 * Deadlines by the thousand for the price of one timer, which ticks only while something is armed and never keeps the process. An alarm
 * lies in the slot of its tick modulo the number of slots (Varghese and Lauck 1987, scheme 6), so arming and disarming are a few
 * pointers. It rings at most one tick late, never early; one that was put off is moved when its first time comes.
 */
export class TimerWheel {
  readonly tickMs: number;
  readonly #slots = Array.from({ length: slotCount }, () => new Slot());
  readonly #due = new Slot();
  readonly #clock: Clock;
  readonly #timers: Timers;
  #armed = 0;
  #running = false;
  /** Number of the tick that was looked at last. */
  #tick = 0;

  constructor(clock: Clock, timers: Timers, tickMs = 50) {
    this.tickMs = tickMs;
    this.#clock = clock;
    this.#timers = timers;
  }

  /** Alarms that may ring. */
  get armed(): number {
    return this.#armed;
  }

  /** Lets an alarm that is not armed ring `delayMs` after `now`, the time of the clock. */
  arm(alarm: Alarm, delayMs: number, now: number): void {
    alarm.dueAt = now + delayMs;
    this.#armed += 1;
    if (!this.#running) this.#start(now);
    this.#insert(alarm);
  }

  /** It does not ring after all; one that is not armed stays so. */
  disarm(alarm: Alarm): void {
    if (alarm.next === undefined) return;
    unlink(alarm);
    this.#armed -= 1;
  }

  #insert(alarm: Alarm): void {
    // The first tick at or after its time.
    const tick = Math.max(this.#tick + 1, Math.ceil(alarm.dueAt / this.tickMs));
    this.#slots[tick & (slotCount - 1)]?.add(alarm);
  }

  #start(now: number): void {
    this.#running = true;
    this.#tick = Math.floor(now / this.tickMs);
    this.#wait(now);
  }

  #wait(now: number): void {
    const timer = this.#timers.set(this.#onTick, Math.max(1, (this.#tick + 1) * this.tickMs - now));
    (timer as { unref?(): unknown } | null | undefined)?.unref?.();
  }

  readonly #onTick = (): void => {
    const now = this.#clock.now();
    const tick = Math.floor(now / this.tickMs);
    // After a pause of the process each slot is looked at once, not once for each tick that was missed.
    for (let at = Math.max(this.#tick + 1, tick - slotCount + 1); at <= tick; at++) {
      this.#tick = at;
      this.#empty(this.#slots[at & (slotCount - 1)], now);
    }
    if (this.#armed > 0) this.#wait(now);
    else this.#running = false;
  };

  /** Who rings may arm and disarm others, so the slot is emptied first, and each alarm then goes where it belongs. */
  #empty(slot: Slot | undefined, now: number): void {
    for (let alarm = slot?.take(); alarm !== undefined; alarm = slot?.take()) this.#due.add(alarm);
    for (let alarm = this.#due.take(); alarm !== undefined; alarm = this.#due.take()) {
      if (alarm.dueAt > now) this.#insert(alarm);
      else {
        this.#armed -= 1;
        alarm.ring();
      }
    }
  }
}
