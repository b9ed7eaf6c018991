import type { Outcome } from '@mesh/circuit-breaker';
import type { Attempt } from './attempt.ts';
import type { Call } from './call.ts';

/** How a call ended, told once: at the final response headers or at the error that the caller gets. */
export interface CallResult {
  /** Status of the final answer; undefined when there was none. */
  readonly status: number | undefined;
  /** The error that the caller gets. */
  readonly error: Error | undefined;
  /** Whether the caller gave up. */
  readonly aborted: boolean;
  /** From the start of the call, back-off included, in milliseconds. */
  readonly latencyMs: number;
  /** Retries made. */
  readonly retries: number;
}

/** How one attempt at one instance ended: told at the response head, or at its failure. */
export interface AttemptResult {
  readonly service: string;
  /** Id of the instance. */
  readonly instance: string;
  /** What the circuit was told: `ignored` says nothing about the instance, such as an abort by the caller. */
  readonly outcome: Outcome;
  /** Time to the head or to the failure, in milliseconds. */
  readonly latencyMs: number;
  readonly status?: number;
  readonly error?: Error;
}

/**
 * Is told what a client does. Every part is optional and costs nothing when it is absent; what one throws is dropped.
 */
export interface Observer {
  attemptEnded?(result: AttemptResult): void;
  callEnded?(result: CallResult & { readonly service: string }): void;
  /** Another attempt follows, after so many milliseconds; `instance` is the one that failed, undefined when none was asked. */
  retried?(event: {
    readonly service: string;
    readonly instance: string | undefined;
    readonly retries: number;
    readonly delayMs: number;
  }): void;
  /** Another attempt is made beside one that is slow, instead of waiting for `instance` alone. */
  hedged?(event: { readonly service: string; readonly instance: string | undefined }): void;
  /** A kept connection to `instance` had been closed; the request is sent once more on a fresh one. */
  rescued?(event: { readonly service: string; readonly instance: string | undefined }): void;
  /** A call ended without asking an instance: refused by a gate, or nobody is there. */
  rejected?(event: { readonly service: string; readonly code: string; readonly error: Error }): void;
  /** The balancer takes an instance out that stands out from the others (`balancing.ejection`), again when its probe has failed. */
  ejected?(event: {
    readonly service: string;
    readonly instance: string;
    /** How long it gets no request, in milliseconds; then one at a time until one succeeds. */
    readonly termMs: number;
  }): void;
  /** An instance that was taken out is back. */
  restored?(event: { readonly service: string; readonly instance: string }): void;
  /** A circuit of an instance, or of one of its route classes, changed. */
  circuitChanged?(event: {
    readonly service: string;
    readonly instance: string;
    readonly routeClass?: string;
    readonly state: 'open' | 'half-open' | 'closed';
  }): void;
}

/** Calls a listener; its fault is not the call's. */
export function tell(listener: () => void): void {
  try {
    listener();
  } catch {
    // Dropped: an observer must not change what it observes.
  }
}

export function tellAttempt(
  observer: Observer,
  call: Call,
  attempt: Attempt,
  error: Error | undefined,
): void {
  const { instance = '', outcome = 'ignored', latencyMs = 0, status } = attempt;
  tell(() =>
    observer.attemptEnded?.({
      ...{ service: call.name, instance, outcome, latencyMs },
      ...(status !== undefined && { status }),
      ...(error !== undefined && { error }),
    }),
  );
}
