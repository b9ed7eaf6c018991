/** Seats for checks that run at the same time, and a line of those that wait for one. */
export class Lane<T> {
  readonly seats: number;
  /** In the order in which they sat down. */
  readonly #running = new Set<T>();
  readonly #waiting = new Set<T>();

  constructor(seats: number) {
    this.seats = seats;
  }

  get running(): number {
    return this.#running.size;
  }

  get waiting(): number {
    return this.#waiting.size;
  }

  get isFull(): boolean {
    return this.#running.size >= this.seats;
  }

  /** Who has been sitting longest. */
  get oldest(): T | undefined {
    return first(this.#running);
  }

  sit(item: T): void {
    this.#running.add(item);
  }

  wait(item: T): void {
    this.#waiting.add(item);
  }

  leave(item: T): void {
    this.#running.delete(item);
    this.#waiting.delete(item);
  }

  /** The next who may sit down, if there is a seat and somebody waits. */
  next(): T | undefined {
    if (this.isFull) return undefined;
    const item = first(this.#waiting);
    if (item !== undefined) this.#waiting.delete(item);
    return item;
  }
}

function first<T>(items: ReadonlySet<T>): T | undefined {
  for (const item of items) return item;
  return undefined;
}
