import type { LeaseResult, Outcome, Tracker } from './policy.ts';

/** The response time that an endpoint has before its first answer (seed formula: `avgResponseTime || 1000`). */
export const unmeasuredMs = 1000;

/** Part of the way that the average moves to a new answer: the last five answers make up two thirds of it. */
const smoothingRatio = 0.2;

/** Longest time that an endpoint can ask to be left alone. */
const longestRetryAfterMs = 300_000;

/** One open lease in the row of its endpoint, oldest first. */
export interface Queued {
  readonly startMs: number;
  before: Queued | undefined;
  after: Queued | undefined;
}

/** What is known about one id. Leases count here, whatever becomes of the endpoint meanwhile. */
export class Load {
  readonly tracker: Tracker | undefined;
  #inflight = 0;
  #picks = 0;
  #latencyMs: number | undefined;
  #oldest: Queued | undefined;
  #newest: Queued | undefined;

  constructor(tracker: Tracker | undefined) {
    this.tracker = tracker;
  }

  /** Leases that are open now. */
  get inflight(): number {
    return this.#inflight;
  }

  /** Leases ever given. */
  get picks(): number {
    return this.#picks;
  }

  /** Exponentially weighted moving average of the response time, undefined before the first answer. */
  get latencyMs(): number | undefined {
    return this.#latencyMs;
  }

  /** Start of the oldest open lease that is timed. */
  get oldestStartMs(): number {
    return this.#oldest?.startMs ?? Infinity;
  }

  open(): void {
    this.#inflight++;
    this.#picks++;
  }

  close(outcome: Outcome, latencyMs: number | undefined): void {
    this.#inflight--;
    if (latencyMs !== undefined) this.#learn(outcome, latencyMs);
  }

  enqueue(lease: Queued): void {
    lease.before = this.#newest;
    if (this.#newest === undefined) this.#oldest = lease;
    else this.#newest.after = lease;
    this.#newest = lease;
  }

  dequeue(lease: Queued): void {
    const { before, after } = lease;
    if (before === undefined) this.#oldest = after;
    else before.after = after;
    if (after === undefined) this.#newest = before;
    else after.before = before;
    lease.before = lease.after = undefined;
  }

  #learn(outcome: Outcome, latencyMs: number): void {
    if (outcome === 'ignored' || !(latencyMs >= 0) || latencyMs === Infinity) return;
    // A failure may show that an endpoint is slow, never that it is fast: who fails at once must not attract traffic.
    if (outcome === 'failure' && latencyMs <= (this.#latencyMs ?? unmeasuredMs)) return;
    this.#latencyMs =
      this.#latencyMs === undefined
        ? latencyMs
        : this.#latencyMs + smoothingRatio * (latencyMs - this.#latencyMs);
  }
}

/** A `Retry-After` that can be believed, 0 where there is none. */
export function retryAfterOf({ retryAfterMs = 0 }: LeaseResult): number {
  return retryAfterMs > 0 ? Math.min(retryAfterMs, longestRetryAfterMs) : 0;
}
