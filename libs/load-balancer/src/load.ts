import type { Conduct } from './conduct.ts';
import type { Clock, LeaseResult, Outcome, Tracker } from './policy.ts';
import type { Restraints } from './restraints.ts';

/** The response time that an endpoint has before its first answer (seed formula: `avgResponseTime || 1000`). */
export const unmeasuredMs = 1000;

/** Part of the way that the average moves to a new answer: the last five answers make up two thirds of it. */
const smoothingRatio = 0.2;

/** Reports of how busy an endpoint is are averaged with this time constant. */
const reportMemoryMs = 5000;

/** One open lease in the row of its endpoint, oldest first. */
export interface Queued {
  readonly startMs: number;
  before: Queued | undefined;
  after: Queued | undefined;
}

/** What the loads of one balancer have in common. */
export interface Ledger {
  readonly clock: Clock;
  readonly restraints: Restraints;
}

/** What is known about one id. Leases count here, whatever becomes of the endpoint meanwhile. */
export class Load {
  readonly id: string;
  readonly tracker: Tracker | undefined;
  /** Whether one of the figures below can keep a request away: a pick looks at them only then. */
  restricted = false;
  /** When slow start first saw it. */
  joinedMs: number | undefined;
  /** Since when it has been warming up; undefined when it is warm. */
  warmSinceMs: number | undefined;
  warmRatio = 1;
  /** Seen unavailable since it was last warm. */
  wasAway = false;
  /** Wants to be left alone until then. */
  restUntilMs = -Infinity;
  /** Kept by ejection. */
  conduct: Conduct | undefined;
  readonly #ledger: Ledger;
  #utilizationRatio: number | undefined;
  #reportedMs = 0;
  #inflight = 0;
  #picks = 0;
  #latencyMs: number | undefined;
  #oldest: Queued | undefined;
  #newest: Queued | undefined;

  constructor(id: string, ledger: Ledger, tracker: Tracker | undefined) {
    this.id = id;
    this.#ledger = ledger;
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

  /** How busy it says it is, averaged; undefined before the first report. */
  get utilizationRatio(): number | undefined {
    return this.#utilizationRatio;
  }

  report(utilizationRatio: number, nowMs: number): void {
    if (!(utilizationRatio >= 0)) return;
    const known = this.#utilizationRatio ?? utilizationRatio;
    const kept = Math.exp((this.#reportedMs - nowMs) / reportMemoryMs);
    this.#utilizationRatio = kept * known + (1 - kept) * Math.min(1, utilizationRatio);
    this.#reportedMs = nowMs;
  }

  open(): void {
    this.#inflight++;
    this.#picks++;
  }

  close(result: LeaseResult): void {
    this.#inflight--;
    const { latencyMs } = result;
    if (latencyMs !== undefined) this.#learn(result.outcome, latencyMs);
    if (result.retryAfterMs !== undefined || result.utilizationRatio !== undefined)
      this.#ledger.restraints.heard(this, result);
  }

  /** After `open()`, of a lease that is timed. */
  enqueue(lease: Queued): void {
    lease.before = this.#newest;
    if (this.#newest === undefined) this.#oldest = lease;
    else this.#newest.after = lease;
    this.#newest = lease;
    this.tracker?.opened?.(lease.startMs);
    this.#ledger.restraints.opened(this, lease.startMs);
  }

  /** In place of `close()`, of a lease that is timed. */
  dequeue(lease: Queued, result: LeaseResult): void {
    const { before, after } = lease;
    if (before === undefined) this.#oldest = after;
    else before.after = after;
    if (after === undefined) this.#newest = before;
    else after.before = before;
    lease.before = lease.after = undefined;
    this.#settle(lease.startMs, result);
  }

  #settle(startMs: number, result: LeaseResult): void {
    const nowMs = this.#ledger.clock.now();
    const told = result.latencyMs === undefined ? { ...result, latencyMs: nowMs - startMs } : result;
    this.close(told);
    this.tracker?.ended?.(told, nowMs);
    this.#ledger.restraints.ended(this, told, startMs, nowMs);
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
