import type { Outcome, Permit } from './gate.ts';

/** Who gave a permit, and learns how it went. */
export interface PermitOwner {
  settleCall(generation: number, outcome: Outcome, error: unknown): void;
  settleTrial(trial: CallPermit, outcome: Outcome, error: unknown): void;
}

/** A permit of one generation; `startedAt` is there when it is a trial. */
export class CallPermit implements Permit {
  readonly #owner: PermitOwner;
  readonly generation: number;
  readonly startedAt: number | undefined;
  #settled = false;

  constructor(owner: PermitOwner, generation: number, startedAt: number | undefined) {
    this.#owner = owner;
    this.generation = generation;
    this.startedAt = startedAt;
  }

  get settled(): boolean {
    return this.#settled;
  }

  settle(outcome: Outcome, error?: unknown): void {
    if (this.#settled) return;
    this.#settled = true;
    if (this.startedAt === undefined) this.#owner.settleCall(this.generation, outcome, error);
    else this.#owner.settleTrial(this, outcome, error);
  }

  [Symbol.dispose](): void {
    this.settle('ignored');
  }
}
