import type { CircuitMode } from './options.ts';

/** State of a circuit. */
export type CircuitState = 'closed' | 'open' | 'half-open';

/** Calls since the breaker was made; results that came too late to matter are in none of them. */
export interface CircuitTotals {
  readonly success: number;
  readonly failure: number;
  readonly ignored: number;
  /** Refused calls; in shadow mode, those that would have been. */
  readonly rejected: number;
}

/** What a circuit looks like at one moment; frozen. */
export interface CircuitSnapshot {
  readonly name: string;
  readonly state: CircuitState;
  readonly mode: CircuitMode;
  /** Whether somebody holds the circuit open by `isolate()`. */
  readonly isolated: boolean;
  /** Failures in the window while closed; those that opened the circuit otherwise. */
  readonly failureCount: number;
  /** Trials that have succeeded in this half-open phase, else 0. */
  readonly successCount: number;
  readonly totals: CircuitTotals;
  /** Milliseconds until trials are let through, 0 unless open. Exact when the snapshot was made; a new one is made each second. */
  readonly retryAfterMs: number;
  /** When the circuit last opened, in milliseconds of its clock; absent while closed. */
  readonly openedAt?: number;
}

/** `previous` when nothing changed (so that its identity tells), else `next`, frozen. */
export function renewSnapshot(previous: CircuitSnapshot | undefined, next: CircuitSnapshot): CircuitSnapshot {
  if (previous !== undefined && alike(previous, next)) return previous;
  Object.freeze(next.totals);
  return Object.freeze(next);
}

function alike(a: CircuitSnapshot, b: CircuitSnapshot): boolean {
  return (
    a.state === b.state &&
    a.mode === b.mode &&
    a.isolated === b.isolated &&
    a.failureCount === b.failureCount &&
    a.successCount === b.successCount &&
    a.openedAt === b.openedAt &&
    Math.ceil(a.retryAfterMs / 1_000) === Math.ceil(b.retryAfterMs / 1_000) &&
    a.totals.success === b.totals.success &&
    a.totals.failure === b.totals.failure &&
    a.totals.ignored === b.totals.ignored &&
    a.totals.rejected === b.totals.rejected
  );
}
