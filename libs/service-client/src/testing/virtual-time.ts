import type { Timers } from '../index.ts';

interface Task {
  readonly at: number;
  readonly run: () => void;
}

/** Clock and timers that move only when told to. */
export class VirtualTime implements Timers {
  #now = 0;
  #tasks = new Set<Task>();

  /** Timers that are set. */
  get pending(): number {
    return this.#tasks.size;
  }

  now(): number {
    return this.#now;
  }

  setTimeout(run: () => void, delayMs: number): Task {
    const task = { at: this.#now + delayMs, run };
    this.#tasks.add(task);
    return task;
  }

  clearTimeout(task: unknown): void {
    this.#tasks.delete(task as Task);
  }

  /** Runs what is due within `ms`, in order, and microtasks in between. */
  async advance(ms: number): Promise<void> {
    const until = this.#now + ms;
    await Promise.resolve();
    for (;;) {
      const [next] = [...this.#tasks].filter(({ at }) => at <= until).sort((a, b) => a.at - b.at);
      if (next === undefined) break;
      this.#tasks.delete(next);
      this.#now = Math.max(this.#now, next.at);
      next.run();
      await Promise.resolve();
    }
    this.#now = until;
  }
}
