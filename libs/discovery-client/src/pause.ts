import type { Timers } from './timers.ts';

/** One sleep at a time, which can be cut short. Several waiters are never needed: each loop owns its own. */
export class Pause {
  readonly #timers: Timers;
  #wake: (() => void) | undefined;

  constructor(timers: Timers) {
    this.#timers = timers;
  }

  /** Resolves after `delayMs` or at `wake()`, whichever comes first. Never rejects. */
  wait(delayMs: number): Promise<void> {
    return new Promise((resolve) => {
      const handle = this.#timers.set(() => this.#wake?.(), delayMs);
      this.#wake = () => {
        this.#timers.clear(handle);
        this.#wake = undefined;
        resolve();
      };
    });
  }

  /** Ends the sleep that is going on; nothing when there is none. */
  wake(): void {
    this.#wake?.();
  }
}
