import type { Clock } from '../gate.ts';

/** A clock that moves only when told to. */
export class VirtualClock implements Clock {
  #now: number;

  constructor(now = 0) {
    this.#now = now;
  }

  now(): number {
    return this.#now;
  }

  pass(ms: number): void {
    this.#now += ms;
  }
}
