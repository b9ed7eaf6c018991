import type { Window } from './window.ts';

/** Slots of one window. One more is kept, for the slot that time has only partly left. */
const slots = 10;
const kept = slots + 1;

/**
 * The calls of the last `lengthMs` milliseconds in fixed memory, whatever the traffic.
 *
 * Time is cut into slots of a tenth of the window, kept in a ring with running totals. The ring is brought up to date when
 * somebody records or reads, in at most eleven steps however long nobody did. A call counts for at least the window
 * and is forgotten at the latest one slot (a tenth) later.
 */
export class TimeWindow implements Window {
  calls = 0;
  failures = 0;
  slow = 0;
  readonly #slotMs: number;
  // Each made when it is first needed: most breakers of a large set see no failure, and few ask for slow calls.
  #calls: number[] | undefined;
  #failures: number[] | undefined;
  #slow: number[] | undefined;
  #head = 0;
  /** When the slot of the head ends. */
  #headEnd = -Infinity;

  constructor(lengthMs: number) {
    this.#slotMs = lengthMs / slots;
  }

  record(failed: boolean, slow: boolean, now: number): void {
    this.catchUp(now);
    const at = place(this.#head);
    this.calls++;
    add((this.#calls ??= empty()), at);
    if (failed) {
      this.failures++;
      add((this.#failures ??= empty()), at);
    }
    if (slow) {
      this.slow++;
      add((this.#slow ??= empty()), at);
    }
  }

  /** Empties the slots that time has entered since the last look; a clock that goes back empties none. */
  catchUp(now: number): void {
    if (now < this.#headEnd) return;
    const slot = Math.floor(now / this.#slotMs);
    if (this.calls === 0 || slot - this.#head >= kept) {
      this.clear();
      this.#head = slot;
    }
    while (this.#head < slot) this.#drop(place(++this.#head));
    this.#headEnd = (this.#head + 1) * this.#slotMs;
  }

  clear(): void {
    if (this.calls === 0) return;
    this.#calls?.fill(0);
    this.#failures?.fill(0);
    this.#slow?.fill(0);
    this.calls = this.failures = this.slow = 0;
    this.#headEnd = -Infinity;
  }

  #drop(at: number): void {
    this.calls -= take(this.#calls, at);
    this.failures -= take(this.#failures, at);
    this.slow -= take(this.#slow, at);
  }
}

const empty = (): number[] => new Array<number>(kept).fill(0);

function add(ring: number[], at: number): void {
  ring[at] = (ring[at] ?? 0) + 1;
}

function take(ring: number[] | undefined, at: number): number {
  const taken = ring?.[at] ?? 0;
  if (ring !== undefined) ring[at] = 0;
  return taken;
}

/** Where a slot is in the ring, also for times below zero. */
function place(slot: number): number {
  return ((slot % kept) + kept) % kept;
}
