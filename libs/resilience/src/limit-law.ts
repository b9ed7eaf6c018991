/** How one call went, as far as a law of concurrency is concerned. */
export interface LimitSample {
  /** Milliseconds that it took. */
  readonly rttMs: number;
  /** Calls under way when it started, itself included. */
  readonly inFlight: number;
  /** It was turned away by overload: a timeout, a 429 or 503. Its time tells nothing. */
  readonly dropped: boolean;
  /** When it started and ended, in milliseconds of the clock. */
  readonly startedAt: number;
  readonly now: number;
  /** The limit at this moment. It may have a fraction. */
  readonly limit: number;
}

/** Finds a limit: answers each sample with the limit from now on. The caller keeps it within its bounds; if it throws, the limit stays. */
export interface LimitFinder {
  next(sample: LimitSample): number;
}

/** A law of concurrency makes a finder for each limiter, so one law may be given to many. */
export type LimitLaw = () => LimitFinder;
