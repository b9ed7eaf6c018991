/** Runs at most so many tasks at once; the others wait in line, and the line has an end. */
export class Lanes {
  readonly #maximum: number;
  readonly #maximumWaiting: number;
  readonly #waiting = new Set<() => void>();
  /** Stays where it is: to take the first of a long list again and again would move all others each time. */
  #line = this.#waiting.values();
  #running = 0;

  constructor(maximum: number, maximumWaiting: number) {
    this.#maximum = maximum;
    this.#maximumWaiting = maximumWaiting;
  }

  /** Tasks that run or wait. */
  get size(): number {
    return this.#running + this.#waiting.size;
  }

  /** @returns undefined when the line is full, else what the task answers. */
  async run<T>(task: () => Promise<T>): Promise<T | undefined> {
    if (this.#running >= this.#maximum) {
      if (this.#waiting.size >= this.#maximumWaiting) return undefined;
      await new Promise<void>((resolve) => this.#waiting.add(resolve));
    } else this.#running += 1;
    try {
      return await task();
    } finally {
      const next = this.#next();
      // The place goes to the next one in line, so that nobody who comes now gets ahead of it.
      if (next === undefined) this.#running -= 1;
      else next();
    }
  }
  #next(): (() => void) | undefined {
    if (this.#waiting.size === 0) return undefined;
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
