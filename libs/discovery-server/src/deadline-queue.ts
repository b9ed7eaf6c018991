/** What a {@link DeadlineQueue} orders. The queue alone writes these fields. */
export interface Deadlined {
  /** When it is due. */
  deadline: number;
  /** Where it is sorted: never later than `deadline`. */
  rank: number;
  /** Its place in the heap, -1 outside of it. */
  slot: number;
}

/**
 * A binary heap by deadline in which putting off, by far the commonest change (every heartbeat), is one assignment:
 * the entry stays where it is and sinks to its true place when it comes to the top.
 */
export class DeadlineQueue<T extends Deadlined> {
  readonly #heap: T[] = [];

  get size(): number {
    return this.#heap.length;
  }

  /** Adds an entry, or moves the deadline of one that is in. O(1) to put off, O(log n) otherwise. */
  set(entry: T, deadline: number): void {
    entry.deadline = deadline;
    if (entry.slot === -1) {
      entry.rank = deadline;
      entry.slot = this.#heap.length;
      this.#heap.push(entry);
      this.#rise(entry);
    } else if (deadline < entry.rank) {
      entry.rank = deadline;
      this.#rise(entry);
    }
  }

  /** Takes an entry out. O(log n); nothing when it is not in. */
  delete(entry: T): void {
    const { slot } = entry;
    if (slot === -1) return;
    entry.slot = -1;
    const last = this.#heap.pop();
    if (last === undefined || last === entry) return;
    this.#place(last, slot);
    this.#rise(last);
    this.#sink(last);
  }

  /** The entry that is due first, if it is due by then. Sorts anew only what would have been due by then if not put off. */
  due(until: number): T | undefined {
    let top = this.#heap[0];
    while (top !== undefined && top.rank <= until && top.rank !== top.deadline) {
      top.rank = top.deadline;
      this.#sink(top);
      top = this.#heap[0];
    }
    return top !== undefined && top.rank <= until ? top : undefined;
  }

  /** The earliest deadline, or something before it; undefined when nothing is in. */
  first(): number | undefined {
    return this.#heap[0]?.rank;
  }

  #rise(entry: T): void {
    for (;;) {
      const parent = this.#heap[(entry.slot - 1) >> 1];
      if (entry.slot === 0 || parent === undefined || parent.rank <= entry.rank) return;
      this.#swap(entry, parent);
    }
  }

  #sink(entry: T): void {
    for (;;) {
      const left = this.#heap[2 * entry.slot + 1];
      const right = this.#heap[2 * entry.slot + 2];
      const child = left !== undefined && right !== undefined && right.rank < left.rank ? right : left;
      if (child === undefined || child.rank >= entry.rank) return;
      this.#swap(child, entry);
    }
  }

  #swap(a: T, b: T): void {
    const { slot } = a;
    this.#place(a, b.slot);
    this.#place(b, slot);
  }

  #place(entry: T, slot: number): void {
    this.#heap[slot] = entry;
    entry.slot = slot;
  }
}
