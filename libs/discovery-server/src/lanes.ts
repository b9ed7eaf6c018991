/** Runs at most so many tasks at once; the others wait in line, and the line has an end. */
export class Lanes {
  readonly #maximum: number;
  readonly #maximumWaiting: number;
  readonly #waiting: (() => void)[] = [];
  #running = 0;

  constructor(maximum: number, maximumWaiting: number) {
    this.#maximum = maximum;
    this.#maximumWaiting = maximumWaiting;
  }

  /** Tasks that run or wait. */
  get size(): number {
    return this.#running + this.#waiting.length;
  }

  /** @returns undefined when the line is full, else what the task answers. */
  async run<T>(task: () => Promise<T>): Promise<T | undefined> {
    if (this.#running >= this.#maximum) {
      if (this.#waiting.length >= this.#maximumWaiting) return undefined;
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    } else this.#running += 1;
    try {
      return await task();
    } finally {
      const next = this.#waiting.shift();
      // The place goes to the next one in line, so that nobody who comes now gets ahead of it.
      if (next === undefined) this.#running -= 1;
      else next();
    }
  }
}
