/** Slots into which the time that a call may take is cut. */
const slots = 10;
/** One more is kept, for the slot that has only partly become overdue. */
const kept = slots + 1;

/**
 * Calls under way, counted by the slot in which they began: how many have become overdue is known without a list of them,
 * at most a tenth of the limit late. A call that was counted as overdue is not under way any more.
 */
export class InFlight {
  readonly #slotMs: number;
  #counts: number[] | undefined;
  #head = -Infinity;
  /** When the slot of the head ends; nothing becomes overdue before. */
  #headEnd = -Infinity;
  #total = 0;

  constructor(limitMs: number) {
    this.#slotMs = limitMs / slots;
  }

  /** A call begins. Call {@link takeOverdue} first. */
  begin(now: number): void {
    const counts = (this.#counts ??= new Array<number>(kept).fill(0));
    if (now >= this.#headEnd) this.#enter(Math.floor(now / this.#slotMs));
    const at = place(this.#head);
    counts[at] = (counts[at] ?? 0) + 1;
    this.#total++;
  }

  /** A call ends; false when it was overdue already. Call {@link takeOverdue} first. */
  end(startedAt: number): boolean {
    // Out of order or not, a call was counted in the slot that was the latest when it began.
    const slot = Math.min(this.#head, Math.floor(startedAt / this.#slotMs));
    if (this.#counts === undefined || slot <= this.#head - kept) return false;
    const at = place(slot);
    if ((this.#counts[at] ?? 0) === 0) return false;
    this.#counts[at] = (this.#counts[at] ?? 0) - 1;
    this.#total--;
    return true;
  }

  /** How many calls have become overdue since the last look. */
  takeOverdue(now: number): number {
    const counts = this.#counts;
    if (now < this.#headEnd || counts === undefined || this.#total === 0) return 0;
    const slot = Math.floor(now / this.#slotMs);
    let overdue = 0;
    // Every step enters a slot, whose place is that of the slot that has just become overdue as a whole.
    for (let steps = Math.min(slot - this.#head, kept); steps > 0; steps--) {
      const at = place(slot - steps + 1);
      overdue += counts[at] ?? 0;
      counts[at] = 0;
    }
    this.#enter(slot);
    this.#total -= overdue;
    return overdue;
  }

  clear(): void {
    this.#counts?.fill(0);
    this.#total = 0;
  }

  /** A clock that goes back enters nothing. */
  #enter(slot: number): void {
    this.#head = Math.max(this.#head, slot);
    this.#headEnd = (this.#head + 1) * this.#slotMs;
  }
}

/** Where a slot is in the ring, also for times below zero. */
function place(slot: number): number {
  return ((slot % kept) + kept) % kept;
}
