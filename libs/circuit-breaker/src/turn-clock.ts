import type { Clock } from './gate.ts';

declare function setTimeout(callback: () => void): { unref?(): void } | number;

/** Two looks closer than this come from one loop, or from one crowd. */
const crowdMs = 0.02;
/** Looks that share one reading at most, so that time goes on in a loop that never ends its turn. */
const maxShared = 64;

/**
 * A clock that crowds read once for each turn of the event loop. Refusals of an open circuit are the cheapest calls there are, and a look at
 * the clock would be most of what they cost. Only a crowd pays for it, with one timer for its turn; callers that come one by one
 * read the real clock.
 */
export class TurnClock implements Clock {
  readonly #clock: Clock;
  readonly #endOfTurn: (callback: () => void) => void;
  #at = -Infinity;
  #left = 0;
  #waiting = false;

  constructor(clock: Clock, endOfTurn = afterTurn) {
    this.#clock = clock;
    this.#endOfTurn = endOfTurn;
  }

  now(): number {
    if (this.#left > 0) {
      this.#left--;
      return this.#at;
    }
    const now = this.#clock.now();
    if (now - this.#at < crowdMs) this.#share();
    return (this.#at = now);
  }

  #share(): void {
    this.#left = maxShared;
    if (this.#waiting) return;
    this.#waiting = true;
    this.#endOfTurn(() => {
      this.#waiting = false;
      this.#left = 0;
    });
  }
}

function afterTurn(callback: () => void): void {
  const timer = setTimeout(callback);
  if (typeof timer === 'object') timer.unref?.();
}
