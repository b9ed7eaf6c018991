import { weightOf } from './endpoint.ts';
import type { Endpoint } from './endpoint.ts';
import { Load } from './load.ts';
import type { LeaseResult } from './load.ts';
import type { Candidate, Picker, Policy } from './picker.ts';
import { policyOf } from './strategy.ts';
import type { Strategy } from './strategy.ts';

/** What {@link LoadBalancer} takes. */
export interface LoadBalancerOptions {
  /** Default `random`. */
  readonly strategy?: Strategy;
  /** Numbers from 0 (included) to 1 (excluded); default `Math.random`. */
  readonly random?: () => number;
}

/** What is special about one pick. */
export interface PickContext {
  /** Ids that must not be picked, such as those that a retry has tried already. */
  readonly excluded?: ReadonlySet<string>;
}

/** One piece of work given to an endpoint. It counts as open until `done()`. */
export interface Lease<E extends Endpoint> {
  readonly endpoint: E;
  /** Ends the lease and tells how it went; later calls do nothing. */
  done(result?: LeaseResult): void;
}

/** What is known about one endpoint now. */
export interface EndpointSnapshot {
  readonly id: string;
  readonly weight: number;
  /** Open leases. */
  readonly inflight: number;
  readonly available: boolean;
  /** Average response time, ms; undefined before the first answer. */
  readonly latencyMs: number | undefined;
  /** Leases given since the endpoint became known. */
  readonly picks: number;
}

/**
 * Picks one of several endpoints and keeps count of the work that each has.
 *
 * @example
 * const balancer = new LoadBalancer({ strategy: 'least-connections' });
 * balancer.update([{ id: 'a:4000' }, { id: 'b:4000', weight: 2 }]);
 * const lease = balancer.pick();
 * // ... call lease.endpoint ...
 * lease?.done({ outcome: 'success', latencyMs: 12 });
 */
export class LoadBalancer<E extends Endpoint = Endpoint> {
  readonly #policy: Policy;
  #loads: ReadonlyMap<string, Load> = new Map();
  #members: readonly Member<E>[] = [];
  #picker: Picker<Member<E>>;

  /** @throws RangeError naming an option that makes no sense. */
  constructor({ strategy = 'random', random = Math.random }: LoadBalancerOptions = {}) {
    this.#policy = policyOf(strategy, random);
    this.#picker = this.#policy.build(this.#members);
  }

  /**
   * Replaces the endpoints. What is known of an id stays while the id does; open leases go on counting either way. Of two
   * endpoints with the same id the later one holds.
   *
   * @throws RangeError when a weight makes no sense; then nothing has changed.
   */
  update(endpoints: readonly E[]): void {
    const unique = new Map(endpoints.map((endpoint) => [endpoint.id, endpoint]));
    const members = Array.from(unique, ([id, endpoint]) => {
      return new Member(id, endpoint, weightOf(endpoint), this.#loads.get(id) ?? new Load());
    });
    const busy = [...this.#loads].filter(([, load]) => load.inflight > 0);
    this.#picker = this.#policy.build(members);
    this.#members = members;
    // Busy ones that left are kept too: when they come back their open leases still count.
    this.#loads = new Map([...busy, ...members.map(({ id, load }) => [id, load] as const)]);
  }

  /**
   * Chooses among the available endpoints that are not excluded. When there is none it chooses among all that are not
   * excluded: if everything looks sick, trying is better than refusing. Undefined when nothing is left to choose from.
   */
  pick({ excluded }: PickContext = {}): Lease<E> | undefined {
    const member = excluded?.size ? this.#pickExcept(excluded) : this.#pickAny();
    return member && new OpenLease(member.endpoint, member.load);
  }

  #pickAny(): Member<E> | undefined {
    return this.#picker.pick(isAvailable) ?? this.#picker.pick(isAnybody);
  }

  #pickExcept(excluded: ReadonlySet<string>): Member<E> | undefined {
    return (
      this.#picker.pick((member) => !excluded.has(member.id) && member.available) ??
      this.#picker.pick((member) => !excluded.has(member.id))
    );
  }

  /** One row for each endpoint, in the order of the last update. */
  getSnapshot(): readonly EndpointSnapshot[] {
    return this.#members.map(({ id, weight, inflight, available, latencyMs, load }) => {
      return { id, weight, inflight, available, latencyMs, picks: load.picks };
    });
  }
}

const isAvailable = (member: { readonly available: boolean }): boolean => member.available;
const isAnybody = (): boolean => true;

/** An endpoint of one update, and the load of its id, which outlives the update. */
class Member<E extends Endpoint> implements Candidate {
  readonly id: string;
  readonly endpoint: E;
  readonly weight: number;
  readonly load: Load;

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

  get latencyMs(): number | undefined {
    return this.load.latencyMs;
  }
}

class OpenLease<E extends Endpoint> implements Lease<E> {
  readonly endpoint: E;
  #load: Load | undefined;

  constructor(endpoint: E, load: Load) {
    this.endpoint = endpoint;
    this.#load = load;
    load.open();
  }

  done(result?: LeaseResult): void {
    this.#load?.close(result);
    this.#load = undefined;
  }
}
