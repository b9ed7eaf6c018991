import type { Clock } from '@mesh/resilience';

/**
 * A clock that is read once for each event (a call begins, a head comes, a body ends), however many ask for the time of that event: reading
 * the real one costs more than picking an instance.
 */
export class EventClock implements Clock {
  readonly #source: Clock;
  #now: number;

  constructor(source: Clock) {
    this.#source = source;
    this.#now = source.now();
  }

  /** The time of the event under way. */
  now(): number {
    return this.#now;
  }

  /** An event begins: what time is it? */
  read(): number {
    return (this.#now = this.#source.now());
  }
}
