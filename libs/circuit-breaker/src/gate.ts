/// <reference lib="esnext.disposable" preserve="true" />

/** What a call came to: `ignored` says nothing about the health of what was called. */
export type Outcome = 'success' | 'failure' | 'ignored';

/** The right to make one call, and the duty to say how it went. */
export interface Permit {
  /** Tells the outcome. The first telling counts, later ones do nothing. `error` becomes the `cause` of rejections if it opens the circuit. */
  settle(outcome: Outcome, error?: unknown): void;
  /** Gives the permit back without a verdict: `settle('ignored')`. */
  [Symbol.dispose](): void;
}

/** Something that lets calls through, or not, at once: breaker, bulkhead, limiter. */
export interface Gate {
  /** Whether a call would be let through now; reading it changes nothing. */
  readonly available: boolean;
  /** Asks for one call; `undefined` is a refusal. */
  tryAcquire(): Permit | undefined;
}

/** Time in milliseconds that never goes back, such as `performance`. */
export interface Clock {
  now(): number;
}
