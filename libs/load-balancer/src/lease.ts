/// <reference lib="esnext.disposable" preserve="true" />
import type { Endpoint } from './endpoint.ts';
import type { Load, Queued } from './load.ts';
import type { Member } from './member.ts';
import type { Clock, LeaseResult } from './policy.ts';

/** One piece of work given to an endpoint. It counts as open until `done()`. */
export interface Lease<E extends Endpoint> {
  readonly endpoint: E;
  /** Ends the lease and tells how it went; later calls do nothing. */
  done(result?: LeaseResult): void;
  /** Ends the lease without a verdict: `using lease = balancer.pick()`. */
  [Symbol.dispose](): void;
}

const nothingTold: LeaseResult = { outcome: 'ignored' };

/** A lease that its endpoint's load counts. `startMs` is NaN when nobody wants to know the time. */
export class OpenLease<E extends Endpoint> implements Lease<E>, Queued {
  readonly endpoint: E;
  readonly startMs: number;
  before: Queued | undefined = undefined;
  after: Queued | undefined = undefined;
  readonly #clock: Clock;
  #load: Load | undefined;

  constructor({ endpoint, load }: Member<E>, clock: Clock, startMs: number) {
    this.endpoint = endpoint;
    this.startMs = startMs;
    this.#clock = clock;
    this.#load = load;
    load.open();
    if (startMs !== startMs) return;
    load.enqueue(this);
    load.tracker?.opened?.(startMs);
  }

  done(result: LeaseResult = nothingTold): void {
    const load = this.#load;
    if (load === undefined) return;
    this.#load = undefined;
    if (this.startMs === this.startMs) this.#settle(load, result);
    else load.close(result.outcome, result.latencyMs);
  }

  #settle(load: Load, result: LeaseResult): void {
    const nowMs = this.#clock.now();
    const told = result.latencyMs === undefined ? { ...result, latencyMs: nowMs - this.startMs } : result;
    load.dequeue(this);
    load.close(told.outcome, told.latencyMs);
    load.tracker?.ended?.(told, nowMs);
  }

  [Symbol.dispose](): void {
    this.done();
  }
}
