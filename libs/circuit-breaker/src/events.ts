import type { Refusal } from './errors.ts';
import type { CircuitState } from './snapshot.ts';

/** What a circuit tells, by event name. */
export interface CircuitEvents {
  /** The circuit changed its state; `cause` is the failure behind it, if there is one. */
  stateChange: {
    readonly circuit: string;
    readonly from: CircuitState;
    readonly to: CircuitState;
    readonly cause: unknown;
  };
  /** A call of the current generation succeeded. */
  success: { readonly circuit: string };
  /** A call of the current generation failed; `error` is what was thrown, or the returned value that was judged a failure. */
  failure: { readonly circuit: string; readonly error: unknown };
  /** A call of the current generation ended without a verdict. */
  ignored: { readonly circuit: string };
  /** A call was refused, or would have been if the circuit were not in shadow mode. */
  rejected: Refusal & { readonly shadow: boolean };
  /** A listener or `classify` threw (or rejected). The call it was about did not notice. */
  fault: { readonly circuit: string; readonly error: unknown };
}

/** Name of an event. */
export type CircuitEventName = keyof CircuitEvents;

interface Entry {
  readonly call: (event: never) => unknown;
}

/** How often in a row listeners may cause new events before the rest is dropped: a circle must not hold the process. */
const maxRounds = 100;

/**
 * Delivers events in the order in which they happened, after the law has finished its change; nothing that a listener does comes back
 * to the caller. Without listeners nothing is allocated.
 */
export class Events {
  readonly #circuit: string;
  #listeners: Map<CircuitEventName | 'change', readonly Entry[]> | undefined;
  #queue: { type: CircuitEventName; event: unknown }[] | undefined;
  #again = false;
  #flushing = false;

  constructor(circuit: string) {
    this.#circuit = circuit;
  }

  /** Whether anybody listens to anything. */
  get active(): boolean {
    return this.#listeners !== undefined;
  }

  add(type: CircuitEventName | 'change', call: (event: never) => unknown): () => void {
    const entry: Entry = { call };
    const listeners = (this.#listeners ??= new Map<CircuitEventName | 'change', readonly Entry[]>());
    // A new array for each change, so that a delivery under way is not disturbed.
    listeners.set(type, [...(listeners.get(type) ?? []), entry]);
    return () => {
      this.#remove(type, entry);
    };
  }

  push<K extends CircuitEventName>(type: K, event: CircuitEvents[K]): void {
    (this.#queue ??= []).push({ type, event });
  }

  /**
   * Delivers what was pushed, then tells the subscribers that something changed. What a listener causes by calling back in is
   * delivered by the flush under way, so that every listener hears everything in the order in which it happened.
   */
  flush(): void {
    this.#again = true;
    if (this.#flushing) return;
    this.#flushing = true;
    try {
      let more = true;
      for (let round = 0; more && round < maxRounds; round++) more = this.#deliverRound();
      if (more) this.fault(new RangeError('circuitBreaker: a listener calls back in without end'));
    } finally {
      this.#queue = undefined;
      this.#flushing = false;
    }
  }

  /** Reports an exception that must not reach a call. */
  fault(error: unknown): void {
    for (const entry of this.#listeners?.get('fault') ?? []) {
      run(entry, { circuit: this.#circuit, error }, () => {
        // Who fails at hearing of failures is not told of this one.
      });
    }
  }

  /** Whether listeners have caused more in the meantime. */
  #deliverRound(): boolean {
    const events = this.#queue ?? [];
    this.#queue = undefined;
    this.#again = false;
    for (const { type, event } of events) this.#deliver(type, event);
    this.#deliver('change', undefined);
    return this.#again;
  }

  #deliver(type: CircuitEventName | 'change', event: unknown): void {
    for (const entry of this.#listeners?.get(type) ?? []) {
      run(entry, event, (error) => {
        this.fault(error);
      });
    }
  }

  #remove(type: CircuitEventName | 'change', entry: Entry): void {
    const listeners = this.#listeners;
    const before = listeners?.get(type);
    if (listeners === undefined || before === undefined) return;
    const rest = before.filter((other) => other !== entry);
    if (rest.length > 0) listeners.set(type, rest);
    else listeners.delete(type);
    if (listeners.size === 0) this.#listeners = undefined;
  }
}

/** Calls a listener; also what an async listener rejects with ends here. */
function run(entry: Entry, event: unknown, onError: (error: unknown) => void): void {
  try {
    const result = entry.call(event as never);
    if (result instanceof Promise) result.catch(onError);
  } catch (error) {
    onError(error);
  }
}
