import { Events, type CircuitEventName, type CircuitEvents } from './events.ts';
import type { Refusal } from './errors.ts';
import type { Outcome } from './gate.ts';
import type { CircuitState, CircuitTotals } from './snapshot.ts';

/** Counts what happened since the circuit was made, and tells who listens. */
export class Journal {
  readonly #circuit: string;
  /** Made for the first listener: most breakers of a large set have none. */
  #events: Events | undefined;
  #success = 0;
  #failure = 0;
  #ignored = 0;
  #rejected = 0;

  constructor(circuit: string) {
    this.#circuit = circuit;
  }

  /** One call ended. */
  settled(outcome: Outcome, error: unknown): void {
    if (outcome === 'success') this.#success++;
    else if (outcome === 'failure') this.#failure++;
    else this.#ignored++;
    if (this.#events?.active !== true) return;
    const circuit = this.#circuit;
    if (outcome === 'failure') this.#events.push('failure', { circuit, error });
    else this.#events.push(outcome, { circuit });
  }

  /** One call was refused; why is only asked when somebody wants to know. */
  refused(why: { refusal(): Refusal }, shadow: boolean): void {
    this.#rejected++;
    if (this.#events?.active === true) this.#events.push('rejected', { ...why.refusal(), shadow });
  }

  changed(from: CircuitState, to: CircuitState, cause: unknown): void {
    if (from === to || this.#events?.active !== true) return;
    this.#events.push('stateChange', { circuit: this.#circuit, from, to, cause });
  }

  /** An exception that must not reach a call. */
  fault(error: unknown): void {
    this.#events?.fault(error);
  }

  /** What a function of the user answers; if it throws, that is a fault, and the answer is `otherwise`. */
  ask<T>(question: () => T, otherwise: T): T {
    try {
      return question();
    } catch (error) {
      this.fault(error);
      return otherwise;
    }
  }

  /** Last step of every change: listeners see it finished, and may call back in. */
  tell(): void {
    if (this.#events?.active === true) this.#events.flush();
  }

  /** Listens to one kind of event, or to every change. @returns the way to stop. */
  listen<K extends CircuitEventName>(
    type: K | 'change',
    listener: (event: CircuitEvents[K]) => unknown,
  ): () => void {
    return (this.#events ??= new Events(this.#circuit)).add(type, listener);
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
