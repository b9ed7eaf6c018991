/** A listener or a predicate threw (or rejected). The call it was about did not notice. */
export interface Fault {
  readonly error: unknown;
}

type Listener = (event: never) => unknown;

/** Tells listeners what happened; nothing that a listener does comes back to the call. Without listeners nothing is allocated. */
export class Events<Types extends { fault: Fault }> {
  #listeners: Map<keyof Types, readonly { readonly listener: Listener }[]> | undefined;

  /** Listens to one kind of event. @returns the way to stop. */
  on<K extends keyof Types>(type: K, listener: (event: Types[K]) => unknown): () => void {
    const entry = { listener };
    const listeners = (this.#listeners ??= new Map<
      keyof Types,
      readonly { readonly listener: Listener }[]
    >());
    // A new array for each change, so that a delivery under way is not disturbed.
    listeners.set(type, [...(listeners.get(type) ?? []), entry]);
    return () => {
      listeners.set(type, listeners.get(type)?.filter((other) => other !== entry) ?? []);
    };
  }

  /** Whether anybody has listened to anything: only then is an event worth making. */
  get active(): boolean {
    return this.#listeners !== undefined;
  }

  emit<K extends keyof Types>(type: K, event: Types[K]): void {
    for (const { listener } of this.#listeners?.get(type) ?? []) {
      run(listener, event, (error) => {
        if (type !== 'fault') this.fault(error);
      });
    }
  }

  /** Reports what must not reach a call. */
  fault(error: unknown): void {
    this.emit('fault', { error });
  }
}

function run(listener: Listener, event: unknown, onError: (error: unknown) => void): void {
  try {
    const result = listener(event as never);
    if (result instanceof Promise) result.catch(onError);
  } catch (error) {
    onError(error);
  }
}
