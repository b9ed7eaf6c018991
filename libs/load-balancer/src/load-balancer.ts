import { weightOf } from './endpoint.ts';
import type { Endpoint } from './endpoint.ts';
import { OpenLease } from './lease.ts';
import type { Lease } from './lease.ts';
import { Load } from './load.ts';
import { Member } from './member.ts';
import type { Clock, Picker, Policy, Random } from './policy.ts';
import { MemberRequest } from './request.ts';
import { factoryOf } from './strategies.ts';
import type { Strategy } from './strategies.ts';

/** What {@link LoadBalancer} takes. */
export interface LoadBalancerOptions {
  /** A name of {@link strategies} or an algorithm of your own; default `adaptive`. */
  readonly strategy?: Strategy;
  /** Numbers from 0 (included) to 1 (excluded); default `Math.random`. */
  readonly random?: Random;
  /** Monotonic clock, ms; default `performance`. Read only by what needs the time. */
  readonly clock?: Clock;
}

/** What is special about one pick. */
export interface PickContext {
  /** Ids that must not be picked, such as those that a retry has tried already. */
  readonly excluded?: ReadonlySet<string>;
  /** What hashing strategies go by: the same key goes to the same endpoint. */
  readonly key?: string;
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

declare const performance: Clock;

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
  readonly #clock: Clock;
  readonly #request: MemberRequest<E>;
  #loads: ReadonlyMap<string, Load> = new Map();
  #members: readonly Member<E>[] = [];
  #picker: Picker<Member<E>>;

  /** @throws RangeError naming an option that makes no sense. */
  constructor(options: LoadBalancerOptions = {}) {
    const { strategy = 'adaptive', random = Math.random, clock = performance } = options;
    this.#clock = clock;
    this.#policy = factoryOf(strategy)({ random });
    this.#request = new MemberRequest(clock, random);
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
      return new Member(id, endpoint, weightOf(endpoint), this.#loads.get(id) ?? this.#newLoad(id));
    });
    const busy = [...this.#loads].filter(([, load]) => load.inflight > 0);
    this.#picker = this.#policy.build(members);
    this.#members = members;
    // Busy ones that left are kept too: when they come back their open leases still count.
    this.#loads = new Map([...busy, ...members.map(({ id, load }) => [id, load] as const)]);
  }

  #newLoad(id: string): Load {
    return new Load(this.#policy.track?.(id));
  }

  /**
   * Chooses among the available endpoints that are not excluded. When there is none it chooses among all that are not
   * excluded: if everything looks sick, trying is better than refusing. Undefined when nothing is left to choose from.
   */
  pick(context: PickContext = nothingSpecial): Lease<E> | undefined {
    const request = this.#request.begin(context);
    const member = this.#picker.pick(request) ?? this.#picker.pick(request.panic());
    if (member === undefined) return undefined;
    const timed = member.load.tracker !== undefined;
    return new OpenLease(member, this.#clock, timed ? request.nowMs : NaN);
  }

  /** One row for each endpoint, in the order of the last update. */
  getSnapshot(): readonly EndpointSnapshot[] {
    return this.#members.map(({ id, weight, inflight, available, latencyMs, load }) => {
      return { id, weight, inflight, available, latencyMs, picks: load.picks };
    });
  }
}

const nothingSpecial: PickContext = {};
