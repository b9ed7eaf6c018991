import type { Refusal } from './errors.ts';
import type { Events } from './events.ts';
import type { Outcome } from './gate.ts';
import type { CircuitTotals } from './snapshot.ts';

/** Counts what happened since the breaker was made, and tells who listens. */
export class Tally {
  readonly #circuit: string;
  readonly #events: Events;
  #success = 0;
  #failure = 0;
  #ignored = 0;
  #rejected = 0;

  constructor(circuit: string, events: Events) {
    this.#circuit = circuit;
    this.#events = events;
  }

  /** One call ended. */
  settled(outcome: Outcome, error: unknown): void {
    const circuit = this.#circuit;
    switch (outcome) {
      case 'success':
        this.#success++;
        if (this.#events.active) this.#events.push('success', { circuit });
        return;
      case 'failure':
        this.#failure++;
        if (this.#events.active) this.#events.push('failure', { circuit, error });
        return;
      case 'ignored':
        this.#ignored++;
        if (this.#events.active) this.#events.push('ignored', { circuit });
        return;
      default:
        outcome satisfies never;
    }
  }

  /** One call was refused. */
  refused(refusal: Refusal): Refusal {
    this.#rejected++;
    if (this.#events.active) this.#events.push('rejected', refusal);
    return refusal;
  }

  /** The totals, with failures that time has decided but nobody has counted yet. */
  totals(lost: number): CircuitTotals {
    return {
      success: this.#success,
      failure: this.#failure + lost,
      ignored: this.#ignored,
      rejected: this.#rejected,
    };
  }
}
