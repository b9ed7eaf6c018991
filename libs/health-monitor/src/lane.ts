/** Seats for checks that run at the same time, and a line of those that wait for one. */
export class Lane<T> {
  readonly seats: number;
  /** In the order in which they sat down. */
  readonly #running = new Set<T>();
  readonly #waiting = new Set<T>();
  /** Goes through those who wait, and stays where it is: a set that loses its first again and again is slow to find the next. */
  #line = this.#waiting.values();

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
    return this.#running.values().next().value;
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
    if (this.isFull || this.#waiting.size === 0) return undefined;
    let { value } = this.#line.next();
    if (value === undefined) {
      // It came to the end once, and an iterator does not begin again.
      this.#line = this.#waiting.values();
      ({ value } = this.#line.next());
    }
    if (value !== undefined) this.#waiting.delete(value);
    return value;
  }
}
