import type { Endpoint } from './endpoint.ts';
import type { Load } from './load.ts';
import type { Candidate, Tracker } from './policy.ts';

/** An endpoint of one update, and the load of its id, which outlives the update. */
export class Member<E extends Endpoint> implements Candidate<Tracker | undefined> {
  readonly id: string;
  readonly endpoint: E;
  readonly weight: number;
  readonly load: Load;
  readonly warmRatio = 1;

  constructor(id: string, endpoint: E, weight: number, load: Load) {
    this.id = id;
    this.endpoint = endpoint;
    this.weight = weight;
    this.load = load;
  }

  get available(): boolean {
    return this.endpoint.available !== false;
  }

  get inflight(): number {
    return this.load.inflight;
  }

  get pressure(): number {
    return this.weight > 0 ? this.load.inflight / (this.weight * this.warmRatio) : Infinity;
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
