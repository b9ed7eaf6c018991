/** Slots of one window. One more is kept, for the slot that time has only partly left. */
const slots = 10;
const kept = slots + 1;

/**
 * Counts events of the last `lengthMs` milliseconds in fixed memory, whatever the traffic.
 *
 * Time is cut into slots of a tenth of the window, kept in a ring with a running total. The ring is brought up to date when
 * somebody records or reads, in at most eleven steps however long nobody did. An event counts for at least the window
 * and is forgotten at the latest one slot (a tenth) later.
 */
export class RollingWindow {
  readonly #slotMs: number;
  // Made at the first event: most breakers of a large set never see one.
  #counts: number[] | undefined;
  #head = 0;
  #total = 0;

  constructor(lengthMs: number) {
    this.#slotMs = lengthMs / slots;
  }

  /** Counts one event at `now` and returns how many the window holds. */
  record(now: number): number {
    const counts = this.#advance(now, (this.#counts ??= new Array<number>(kept).fill(0)));
    const index = place(this.#head);
    counts[index] = (counts[index] ?? 0) + 1;
    return ++this.#total;
  }

  /** How many events the window holds at `now`. */
  count(now: number): number {
    if (this.#total > 0 && this.#counts !== undefined) this.#advance(now, this.#counts);
    return this.#total;
  }

  /** Forgets everything. */
  clear(): void {
    this.#counts?.fill(0);
    this.#total = 0;
  }

  /** Empties the slots that time has entered since the last look; a clock that goes back empties none. */
  #advance(now: number, counts: number[]): number[] {
    const slot = Math.floor(now / this.#slotMs);
    if (this.#total === 0 || slot - this.#head >= kept) {
      this.clear();
      this.#head = slot;
    }
    while (this.#head < slot) {
      const index = place(++this.#head);
      this.#total -= counts[index] ?? 0;
      counts[index] = 0;
    }
    return counts;
  }
}

/** Where a slot is in the ring, also for times below zero. */
function place(slot: number): number {
  return ((slot % kept) + kept) % kept;
}
