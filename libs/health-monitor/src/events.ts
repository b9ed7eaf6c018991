import type { Alert } from './alert.ts';
import type { CheckResult } from './check.ts';
import type { TargetStatus } from './standing.ts';
import type { TargetView } from './target-view.ts';

/** What a monitor tells, by name. */
export interface MonitorEvents {
  /** A check has ended and is taken in. */
  readonly check: {
    readonly target: TargetView;
    readonly result: CheckResult;
    readonly latencyMs: number | undefined;
  };
  /** A target is something else now. */
  readonly status: {
    readonly target: TargetView;
    readonly from: TargetStatus;
    readonly to: TargetStatus;
    /** Milliseconds since 1970. */
    readonly at: number;
  };
  /** An alert has another state or severity; undefined: a pending one that came to nothing, or one that is new. */
  readonly alert: { readonly alert: Alert | undefined; readonly previous: Alert | undefined };
  /** Something of yours failed: a rule, a listener, a store, a sink. */
  readonly fault: { readonly error: unknown };
}

/** Names of the events. */
export type MonitorEventName = keyof MonitorEvents;

type Listener<K extends MonitorEventName> = (event: MonitorEvents[K]) => unknown;

/** Listeners by event. What they throw becomes a `fault` and reaches nobody else. */
export class Listeners {
  readonly #byName: { [K in MonitorEventName]: Set<Listener<K>> } = {
    check: new Set(),
    status: new Set(),
    alert: new Set(),
    fault: new Set(),
  };

  /** @returns the way to stop. */
  on<K extends MonitorEventName>(name: K, listener: Listener<K>): () => void {
    const all: Set<Listener<K>> = this.#byName[name];
    // Each time its own, so that adding a listener twice and removing it once leaves one.
    const own: Listener<K> = (event) => listener(event);
    all.add(own);
    return () => {
      all.delete(own);
    };
  }

  emit<K extends MonitorEventName>(name: K, event: MonitorEvents[K]): void {
    for (const listener of this.#byName[name]) {
      try {
        const answer = listener(event);
        if (answer instanceof Promise)
          answer.catch((error: unknown) => {
            this.#fault(name, error);
          });
      } catch (error) {
        this.#fault(name, error);
      }
    }
  }

  #fault(name: MonitorEventName, error: unknown): void {
    if (name !== 'fault') this.emit('fault', { error });
  }
}
