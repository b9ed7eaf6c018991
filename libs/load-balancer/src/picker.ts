/** What a strategy may know of an endpoint. */
export interface Candidate {
  /** 0 to 1 000 000, fixed for the life of a picker. */
  readonly weight: number;
  /** Open leases now. */
  readonly inflight: number;
  /** Average response time now, ms; undefined before the first answer. */
  readonly latencyMs: number | undefined;
}

/** Chooses from one fixed set. */
export interface Picker<C> {
  /**
   * One of the set that `accepts` lets pass, undefined only when it lets none pass. A candidate of weight 0 is chosen
   * only when no accepted one weighs more. Asks `accepts` a bounded number of times before it looks at the whole set.
   */
  pick(accepts: (candidate: C) => boolean): C | undefined;
}

/** A strategy. What must outlive one set of endpoints (a position, say) lives here, the rest in the picker. */
export interface Policy {
  build<C extends Candidate>(candidates: readonly C[]): Picker<C>;
}

/** Numbers from 0 (included) to 1 (excluded), as `Math.random` gives them. */
export type Random = () => number;
