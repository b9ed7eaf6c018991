/** Something that is due at a time. It is in at most one queue. */
export interface Due {
  dueAt: number;
  /** Its place in the queue, -1 outside; the queue's own business. */
  place: number;
}

/** The next one due first: a binary heap whose members know their place, so that any of them can leave. */
export class DueQueue<T extends Due> {
  readonly #heap: T[] = [];

  get size(): number {
    return this.#heap.length;
  }

  get first(): T | undefined {
    return this.#heap[0];
  }

  push(item: T): void {
    this.#up(item, this.#heap.push(item) - 1);
  }

  /** Takes out the first one if it is due. */
  shift(now: number): T | undefined {
    const first = this.#heap[0];
    if (first === undefined || first.dueAt > now) return undefined;
    this.remove(first);
    return first;
  }

  remove(item: T): void {
    const { place } = item;
    if (place < 0) return;
    item.place = -1;
    const last = this.#heap.pop();
    if (last === undefined || last === item) return;
    this.#up(last, place);
    this.#down(last, last.place);
  }

  #up(item: T, place: number): void {
    while (place > 0) {
      const parent = this.#heap[(place - 1) >> 1];
      if (parent === undefined || parent.dueAt <= item.dueAt) break;
      this.#put(parent, place);
      place = (place - 1) >> 1;
    }
    this.#put(item, place);
  }

  #down(item: T, place: number): void {
    for (;;) {
      const child = this.#smallerChild(place);
      if (child === undefined || child.dueAt >= item.dueAt) break;
      const below = child.place;
      this.#put(child, place);
      place = below;
    }
    this.#put(item, place);
  }

  #smallerChild(place: number): T | undefined {
    const left = this.#heap[2 * place + 1];
    const right = this.#heap[2 * place + 2];
    return left !== undefined && right !== undefined && right.dueAt < left.dueAt ? right : left;
  }

  #put(item: T, place: number): void {
    this.#heap[place] = item;
    item.place = place;
  }
}
