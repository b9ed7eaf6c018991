/// <reference lib="esnext.disposable" preserve="true" />
import type { Endpoint } from './endpoint.ts';
import type { Load, Queued } from './load.ts';
import type { Member } from './member.ts';
import type { LeaseResult } from './policy.ts';

/** One piece of work given to an endpoint. It counts as open until `done()`. */
export interface Lease<E extends Endpoint> {
  readonly endpoint: E;
  /** Ends the lease and tells how it went; later calls do nothing. */
  done(result?: LeaseResult): void;
  /** Ends the lease without a verdict: `using lease = balancer.pick()`. */
  [Symbol.dispose](): void;
}

const nothingTold: LeaseResult = { outcome: 'ignored' };

/** A lease that its endpoint's load counts, and no more: most strategies do not want to know the time. */
export class OpenLease<E extends Endpoint> implements Lease<E> {
  readonly endpoint: E;
  #load: Load | undefined;

  constructor({ endpoint, load }: Member<E>) {
    this.endpoint = endpoint;
    this.#load = load;
    load.open();
  }

  done(result: LeaseResult = nothingTold): void {
    const load = this.#load;
    if (load === undefined) return;
    this.#load = undefined;
    load.close(result);
  }

  [Symbol.dispose](): void {
    this.done();
  }
}

/** A lease that also knows when it began, and stands in the row of its endpoint. */
export class TimedLease<E extends Endpoint> implements Lease<E>, Queued {
  readonly endpoint: E;
  readonly startMs: number;
  before: Queued | undefined = undefined;
  after: Queued | undefined = undefined;
  #load: Load | undefined;

  constructor({ endpoint, load }: Member<E>, startMs: number) {
    this.endpoint = endpoint;
    this.startMs = startMs;
    this.#load = load;
    load.open();
    load.enqueue(this);
  }

  done(result: LeaseResult = nothingTold): void {
    const load = this.#load;
    if (load === undefined) return;
    this.#load = undefined;
    load.dequeue(this, result);
  }

  [Symbol.dispose](): void {
    this.done();
  }
}
