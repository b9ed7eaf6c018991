/**
 * Where a circuit stands, as JSON: to be kept over a restart, or handed to another process. Time is kept as what is left, beside the wall
 * clock, since a monotonic clock means nothing elsewhere.
 */
export interface SavedCircuit {
  readonly version: 1;
  /** A half-open circuit is saved as open with nothing left of its break: its trials end with the process. */
  readonly state: 'closed' | 'open';
  /** What is left of the break, in milliseconds. */
  readonly remainingMs: number;
  readonly failureCount: number;
  /** Openings that are not forgotten yet. */
  readonly attempt: number;
  /** Wall clock, in milliseconds since 1970. */
  readonly savedAt: number;
}

/** A faithful copy. @throws RangeError when it is none. */
export function readSaved(saved: SavedCircuit): SavedCircuit {
  const { version, state, remainingMs, failureCount, attempt, savedAt } = saved;
  const sane =
    (version as number) === 1 &&
    (state === 'closed' || (state as string) === 'open') &&
    [remainingMs, failureCount, attempt, savedAt].every((value) => Number.isFinite(value) && value >= 0);
  if (sane) return { version, state, remainingMs, failureCount, attempt, savedAt };
  throw new RangeError(`circuitBreaker: saved must be what save() returned, got ${JSON.stringify(saved)}`);
}

/** What is left of the break at `wallNow`: a wall clock that was set back lengthens nothing. */
export function remainingMs(saved: SavedCircuit, wallNow: number): number {
  return Math.max(0, saved.remainingMs - Math.max(0, wallNow - saved.savedAt));
}
