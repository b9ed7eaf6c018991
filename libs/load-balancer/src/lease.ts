/// <reference lib="esnext.disposable" preserve="true" />
import type { Endpoint } from './endpoint.ts';
import type { Load, Queued } from './load.ts';
import type { Member } from './member.ts';
import type { Clock, LeaseResult } from './policy.ts';
import type { Restraints } from './restraints.ts';

/** One piece of work given to an endpoint. It counts as open until `done()`. */
export interface Lease<E extends Endpoint> {
  readonly endpoint: E;
  /** Ends the lease and tells how it went; later calls do nothing. */
  done(result?: LeaseResult): void;
  /** Ends the lease without a verdict: `using lease = balancer.pick()`. */
  [Symbol.dispose](): void;
}

const nothingTold: LeaseResult = { outcome: 'ignored' };

/** What leases need of their balancer. */
export interface Ledger {
  readonly clock: Clock;
  readonly restraints: Restraints;
}

/** A lease that its endpoint's load counts. `startMs` is NaN when nobody wants to know the time. */
export class OpenLease<E extends Endpoint> implements Lease<E>, Queued {
  readonly endpoint: E;
  readonly startMs: number;
  before: Queued | undefined = undefined;
  after: Queued | undefined = undefined;
  readonly #ledger: Ledger;
  #load: Load | undefined;

  constructor({ endpoint, load }: Member<E>, ledger: Ledger, startMs: number) {
    this.endpoint = endpoint;
    this.startMs = startMs;
    this.#ledger = ledger;
    this.#load = load;
    load.open();
    if (startMs === startMs) this.#begin(load);
  }

  done(result: LeaseResult = nothingTold): void {
    const load = this.#load;
    if (load === undefined) return;
    this.#load = undefined;
    if (this.startMs === this.startMs) this.#end(load, result);
    else load.close(result.outcome, result.latencyMs);
    if (result.retryAfterMs !== undefined || result.utilizationRatio !== undefined)
      this.#ledger.restraints.heard(load, result);
  }

  [Symbol.dispose](): void {
    this.done();
  }

  #begin(load: Load): void {
    load.enqueue(this);
    load.tracker?.opened?.(this.startMs);
    this.#ledger.restraints.opened(load, this.startMs);
  }

  #end(load: Load, result: LeaseResult): void {
    const nowMs = this.#ledger.clock.now();
    const told = result.latencyMs === undefined ? { ...result, latencyMs: nowMs - this.startMs } : result;
    load.dequeue(this);
    load.close(told.outcome, told.latencyMs);
    load.tracker?.ended?.(told, nowMs);
    this.#ledger.restraints.ended(load, told, this.startMs, nowMs);
  }
}
