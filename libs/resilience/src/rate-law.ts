/** How much may pass: `limit` permits in `periodMs`, at most `burst` of them at once. */
export interface Rate {
  readonly limit: number;
  readonly periodMs: number;
  readonly burst: number;
}

/**
 * A law of rate over a few numbers in a shared array: the cell that begins at `at`. The law keeps no state of its own, so
 * one law serves any number of keys. Times are milliseconds of a clock that never goes back.
 */
export interface RateLaw {
  /** Numbers in a cell. */
  readonly width: number;
  /** The most permits that can ever be taken at once. */
  readonly capacity: number;
  /** Makes the cell one that owes nothing. */
  clear(cells: Float64Array, at: number): void;
  /** Milliseconds until `weight` permits may be taken, 0 when now. For more than `capacity`: about how long that many take one by one. */
  waitMs(cells: Float64Array, at: number, weight: number, now: number): number;
  /** Takes permits; only when `waitMs` is 0. */
  take(cells: Float64Array, at: number, weight: number, now: number): void;
  /** Takes back what was taken for a call that was not made. */
  giveBack(cells: Float64Array, at: number, weight: number, now: number): void;
  /** Lets nothing pass for `ms` from now on. */
  pause(cells: Float64Array, at: number, ms: number, now: number): void;
  /** Takes all that is left. */
  drain(cells: Float64Array, at: number, now: number): void;
  /** Whole permits that could be taken now. */
  remaining(cells: Float64Array, at: number, now: number): number;
  /** Milliseconds until nothing is owed; a cell with 0 may be forgotten. */
  resetMs(cells: Float64Array, at: number, now: number): number;
  /** Goes over to another rate; what the cells that begin at `places` owe stays owed. */
  change(rate: Rate, cells: Float64Array, places: Iterable<number>, now: number): void;
}

/** A microsecond: a wait shorter than this is the rounding of floating-point time. */
export const roundingMs = 1e-3;
