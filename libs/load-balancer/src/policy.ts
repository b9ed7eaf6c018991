/**
 * The contract of a picking algorithm, all that {@link LoadBalancer} knows of one. Your own takes ten lines: choose a load,
 * let {@link twoChoices} do the rest, and give it to the balancer in place of a name.
 *
 * @example
 * const nearest: PolicyFactory = ({ random }) => ({
 *   build: (candidates) =>
 *     twoChoices(candidates, random, (candidate) => (candidate.latencyMs ?? 1) * (candidate.pressure + 1)),
 * });
 * const balancer = new LoadBalancer({ strategy: nearest });
 *
 * @example
 * // Without a helper: the first that may be picked, in the order of the list.
 * const first: PolicyFactory = () => ({
 *   build: (candidates) => ({ pick: (request) => candidates.find((each) => request.accepts(each)) }),
 * });
 *
 * @example
 * // With figures of its own, one object for each id, kept over updates: the fewest failures so far.
 * class Failures implements Tracker {
 *   count = 0;
 *   ended({ outcome }: LeaseResult): void {
 *     if (outcome === 'failure') this.count++;
 *   }
 * }
 * const steadiest: PolicyFactory<Failures> = ({ random }) => ({
 *   track: () => new Failures(),
 *   build: (candidates) => twoChoices(candidates, random, ({ tracker }) => tracker.count),
 * });
 */
export type PolicyFactory<T extends Tracker | undefined = Tracker | undefined> = (
  tools: PolicyTools,
) => Policy<T>;

/** What a policy may use beside its candidates. */
export interface PolicyTools {
  /** The balancer's source of chance. */
  readonly random: Random;
}

/** An algorithm. What must outlive one set of endpoints (a position, say) lives here, the rest in the picker. */
export interface Policy<T extends Tracker | undefined = Tracker | undefined> {
  /** Makes the figures for an id that becomes known. With it the balancer reads its clock at each pick and each end. */
  track?(id: string): T;
  /** Called once for each new set (and again for the same set after {@link LoadBalancer.update}): may take O(n). */
  build<C extends Candidate<T>>(candidates: readonly C[]): Picker<C>;
}

/** Figures of a policy about one id. */
export interface Tracker {
  /** A lease was given. */
  opened?(nowMs: number): void;
  /** A lease ended. `latencyMs` is filled in from the clock where the caller did not tell. */
  ended?(result: LeaseResult, nowMs: number): void;
}

/** Chooses from one fixed set. */
export interface Picker<C> {
  /**
   * One of the set that `request.accepts`, undefined only when it accepts none. A candidate of weight 0 is chosen only
   * when no accepted one weighs more. Should look at a bounded number before it looks at the whole set, so that a pick is
   * O(1) while a fair part is accepted.
   */
  pick(request: PickRequest<C>): C | undefined;
}

/** One pick, seen from the policy. Valid during the call only: the balancer uses the object again. */
export interface PickRequest<C> {
  /**
   * Whether this one may be picked now: available, not ejected, not excluded, let in by its slow start (which is a matter
   * of chance: ask again and the answer may differ).
   */
  accepts(candidate: C): boolean;
  /** Hash of the caller's key, 32 bits unsigned; without a key a random number, so that hashing policies spread it. */
  readonly hash: number;
  /** The balancer's clock, read at most once for each pick. */
  readonly nowMs: number;
}

/** What a policy sees of one endpoint: live figures, the same object for as long as the set stands. */
export interface Candidate<T = unknown> {
  readonly id: string;
  /** Configured share, 0 to 1 000 000; fixed for the life of a picker. */
  readonly weight: number;
  /** Part of its share that slow start lets it have, above 0 to 1; 1 when it is warm. */
  readonly warmRatio: number;
  /** Open leases. */
  readonly inflight: number;
  /** Open leases for each unit of weight that slow start lets it use; Infinity for weight 0. */
  readonly pressure: number;
  /** Average response time, ms; undefined before the first answer. */
  readonly latencyMs: number | undefined;
  /** When the oldest open lease began, by the balancer's clock; Infinity when idle or when the policy does not `track`. */
  readonly oldestStartMs: number;
  /** The policy's own figures: what `track` gave. */
  readonly tracker: T;
}

/** How the work of a lease ended. */
export interface LeaseResult {
  /** `ignored` when the end says nothing about the endpoint, such as a caller that went away. */
  readonly outcome: Outcome;
  /** How long the endpoint took to answer, ms. Without it, tracking policies take the time since the pick. */
  readonly latencyMs?: number;
  /** The endpoint asked to be left alone for so long, ms (`Retry-After` of a 429 or 503); at most 300 000 count. */
  readonly retryAfterMs?: number;
  /** How busy the endpoint says it is, 0 to 1: lets zone-aware routing keep some headroom. */
  readonly utilizationRatio?: number;
}

export type Outcome = 'success' | 'failure' | 'ignored';

/** Numbers from 0 (included) to 1 (excluded), as `Math.random` gives them. */
export type Random = () => number;

/** Time in milliseconds that never goes back, such as `performance`. */
export interface Clock {
  now(): number;
}
