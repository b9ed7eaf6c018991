import { priorityOf, weightOf } from './endpoint.ts';
import type { Endpoint } from './endpoint.ts';
import type { Load } from './load.ts';
import type { Candidate, Tracker } from './policy.ts';

/** An endpoint of one update, and the load of its id, which outlives the update. */
export class Member<E extends Endpoint> implements Candidate<Tracker | undefined> {
  readonly id: string;
  readonly endpoint: E;
  readonly weight: number;
  readonly priority: number;
  readonly zone: string;
  readonly load: Load;

  /** @throws RangeError when the endpoint's weight or priority makes no sense. */
  constructor(endpoint: E, load: Load) {
    this.id = endpoint.id;
    this.endpoint = endpoint;
    this.weight = weightOf(endpoint);
    this.priority = priorityOf(endpoint);
    this.zone = endpoint.zone ?? '';
    this.load = load;
  }

  get available(): boolean {
    return this.endpoint.available !== false;
  }

  get inflight(): number {
    return this.load.inflight;
  }

  get warmRatio(): number {
    return this.load.warmRatio;
  }

  get pressure(): number {
    return this.weight > 0 ? this.load.inflight / (this.weight * this.load.warmRatio) : Infinity;
  }

  get latencyMs(): number | undefined {
    return this.load.latencyMs;
  }

  get oldestStartMs(): number {
    return this.load.oldestStartMs;
  }

  get tracker(): Tracker | undefined {
    return this.load.tracker;
  }
}
