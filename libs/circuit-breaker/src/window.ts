import type { TripCounts } from './trip-rule.ts';

/** Counts the latest calls, in fixed memory and with the same cost whatever it holds. */
export interface Window extends TripCounts {
  record(failed: boolean, slow: boolean, now: number): void;
  /** Forgets what is too old at `now`. */
  catchUp(now: number): void;
  clear(): void;
}
