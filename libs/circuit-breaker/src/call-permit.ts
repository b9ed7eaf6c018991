import type { Outcome, Permit } from './gate.ts';

/** Who gave a permit, and learns how it went. */
export interface PermitOwner {
  settleCall(generation: number, startedAt: number, outcome: Outcome, error: unknown): void;
  settleTrial(trial: CallPermit, outcome: Outcome, error: unknown): void;
}

/** Generation of permits that nobody counts: no circuit ever has it. */
export const uncounted = -1;

const noop = (): void => undefined;

/** A permit of one generation. */
export class CallPermit implements Permit {
  readonly #owner: PermitOwner;
  readonly generation: number;
  /** 0 where nobody needs it. */
  readonly startedAt: number;
  /**
   * A permit that is never given. Without one a full garbage collection at a moment without calls would take the hidden class of all permits, and
   * with it the optimised code that they pass through.
   */
  static readonly idle = new CallPermit({ settleCall: noop, settleTrial: noop }, uncounted, 0, false);
  readonly #trial: boolean;
  #settled = false;

  constructor(owner: PermitOwner, generation: number, startedAt: number, trial: boolean) {
    this.#owner = owner;
    this.generation = generation;
    this.startedAt = startedAt;
    this.#trial = trial;
  }

  get settled(): boolean {
    return this.#settled;
  }

  settle(outcome: Outcome, error?: unknown): void {
    if (this.#settled) return;
    this.#settled = true;
    if (this.#trial) this.#owner.settleTrial(this, outcome, error);
    else this.#owner.settleCall(this.generation, this.startedAt, outcome, error);
  }

  [Symbol.dispose](): void {
    this.settle('ignored');
  }
}
