/// <reference lib="esnext.disposable" preserve="true" />
import type { Outcome, Permit } from '@mesh/circuit-breaker';

/** A slot in use, given back once. */
export class SlotPermit implements Permit {
  #done: ((outcome: Outcome, error: unknown) => void) | undefined;

  constructor(done: (outcome: Outcome, error: unknown) => void) {
    this.#done = done;
  }

  settle(outcome: Outcome, error?: unknown): void {
    const done = this.#done;
    this.#done = undefined;
    done?.(outcome, error);
  }

  [Symbol.dispose](): void {
    this.settle('ignored');
  }
}
