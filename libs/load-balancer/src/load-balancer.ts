import type { EjectionEvent, EjectionOptions } from './ejection.ts';
import type { Endpoint } from './endpoint.ts';
import type { Filter } from './filters.ts';
import { OpenLease, TimedLease } from './lease.ts';
import type { Lease } from './lease.ts';
import { Load } from './load.ts';
import type { Ledger } from './load.ts';
import { Member } from './member.ts';
import { numberIn } from './options.ts';
import type { Clock, Policy, Random } from './policy.ts';
import { MemberRequest } from './request.ts';
import { Restraints } from './restraints.ts';
import { Routes } from './routes.ts';
import type { RouteOptions } from './routes.ts';
import type { SlowStartOptions } from './slow-start.ts';
import { snapshotOf } from './snapshot.ts';
import type { EndpointSnapshot } from './snapshot.ts';
import { factoryOf } from './strategies.ts';
import type { Strategy } from './strategies.ts';
import { subsetOf } from './subset.ts';
import type { SubsetOptions } from './subset.ts';
import { checkZone } from './zones.ts';
import type { ZoneOptions } from './zones.ts';

/** What {@link LoadBalancer} takes. All of it works with every strategy. */
export interface LoadBalancerOptions<E extends Endpoint = Endpoint> {
  /** A name of {@link strategies} or an algorithm of your own; default `adaptive`. */
  readonly strategy?: Strategy;
  /** Which endpoints belong to the set, asked at `update()`; default all. */
  readonly filter?: Filter<E>;
  /** Use only some of many endpoints, each caller others; default all. */
  readonly subset?: SubsetOptions;
  /** Where the caller is; default: zones do not count. */
  readonly zone?: ZoneOptions;
  /** Who is new, or back, gets its share little by little; default at once. */
  readonly slowStart?: SlowStartOptions;
  /** Take out endpoints that fail or stand out; default off, `{}` for the usual rules. */
  readonly ejection?: EjectionOptions;
  /** Told when `ejection` takes an endpoint out, and when it is back; must not throw. Default nobody. */
  readonly onEjection?: (event: EjectionEvent) => void;
  /** With fewer healthy endpoints than this part of them all are used, 0 to 1; default 0: only when none is left. */
  readonly panicRatio?: number;
  /** Numbers from 0 (included) to 1 (excluded); default `Math.random`. */
  readonly random?: Random;
  /** Monotonic clock, ms; default `performance`. Read only by what needs the time. */
  readonly clock?: Clock;
}

/** What is special about one pick. */
export interface PickContext<E extends Endpoint = Endpoint> {
  /** Ids that must not be picked, such as those that a retry has tried already. */
  readonly excluded?: ReadonlySet<string>;
  /** Endpoints that may be picked at all; default any. */
  readonly only?: Filter<E>;
  /** Id that is taken when it can be (sticky sessions); an unknown one is no error. */
  readonly prefer?: string | undefined;
  /** What hashing strategies go by: the same key goes to the same endpoint. */
  readonly key?: string;
}

declare const performance: Clock;

/**
 * Picks one of several endpoints and keeps count of the work that each has.
 *
 * @example
 * const balancer = new LoadBalancer();
 * balancer.update([{ id: 'a:4000' }, { id: 'b:4000', weight: 2 }]);
 * const lease = balancer.pick();
 * // ... call lease.endpoint ...
 * lease?.done({ outcome: 'success', latencyMs: 12 });
 */
export class LoadBalancer<E extends Endpoint = Endpoint> {
  readonly #policy: Policy;
  readonly #filter: Filter<E> | undefined;
  readonly #subset: SubsetOptions | undefined;
  readonly #routing: RouteOptions;
  readonly #ledger: Ledger;
  readonly #request: MemberRequest<E>;
  readonly #isTimed: boolean;
  #loads: ReadonlyMap<string, Load> = new Map();
  #members: ReadonlyMap<string, Member<E>> = new Map();
  #routes: Routes<E>;

  /** @throws RangeError naming an option that makes no sense. */
  constructor(options: LoadBalancerOptions<E> = {}) {
    const { strategy = 'adaptive', random = Math.random, clock = performance } = options;
    const { filter, subset, zone, panicRatio = 0 } = options;
    if (subset) subsetOf([], subset);
    if (zone) checkZone(zone);
    this.#filter = filter;
    this.#subset = subset && { ...subset };
    this.#routing = { zone: zone && { ...zone }, panicRatio: numberIn('panicRatio', panicRatio, 0, 1) };
    this.#policy = factoryOf(strategy)({ random });
    const restraints = new Restraints(options, clock, random);
    this.#ledger = { clock, restraints };
    this.#request = new MemberRequest(clock, random, restraints);
    this.#isTimed = this.#policy.track !== undefined || restraints.isTimed;
    this.#routes = new Routes<E>([], this.#policy, this.#routing);
  }

  /**
   * Replaces the endpoints. What is known of an id stays while the id does; open leases go on counting either way. Of two
   * endpoints with the same id the later one holds.
   *
   * @throws RangeError when a weight or a priority makes no sense; then nothing has changed.
   */
  update(endpoints: readonly E[]): void {
    const members = new Map(
      this.#chosen(endpoints).map((endpoint) => [
        endpoint.id,
        new Member(endpoint, this.#loadOf(endpoint.id)),
      ]),
    );
    const set = [...members.values()];
    const routes = new Routes(set, this.#policy, this.#routing);
    // Busy ones that left are kept too: when they come back their open leases still count.
    const loads = new Map([...this.#loads].filter(([, load]) => load.inflight > 0));
    for (const { id, load } of set) loads.set(id, load);
    this.#ledger.restraints.update(set.map(({ load }) => load));
    this.#routes = routes;
    this.#members = members;
    this.#loads = loads;
  }

  /**
   * Chooses among the available endpoints that are not excluded. When there is none it chooses among all that are not
   * excluded: if everything looks sick, trying is better than refusing. Undefined when nothing is left to choose from.
   */
  pick(context?: PickContext<E>): Lease<E> | undefined {
    const request = this.#request.begin(context);
    const preferred = context?.prefer && this.#preferred(context.prefer, request);
    const member = preferred || this.#routes.pick(request);
    if (member === undefined) return undefined;
    return this.#isTimed ? new TimedLease(member, request.nowMs) : new OpenLease(member);
  }

  /** One row for each endpoint, in the order of the last update. */
  getSnapshot(): readonly EndpointSnapshot[] {
    const nowMs = this.#ledger.clock.now();
    return Array.from(this.#members.values(), (member) => snapshotOf(member, nowMs));
  }

  #chosen(endpoints: readonly E[]): readonly E[] {
    const unique = [...new Map(endpoints.map((endpoint) => [endpoint.id, endpoint])).values()];
    const wanted = this.#filter ? unique.filter(this.#filter) : unique;
    return this.#subset ? subsetOf(wanted, this.#subset) : wanted;
  }

  #loadOf(id: string): Load {
    return this.#loads.get(id) ?? new Load(id, this.#ledger, this.#policy.track?.(id));
  }

  #preferred(id: string, request: MemberRequest<E>): Member<E> | undefined {
    const member = this.#members.get(id);
    if (member === undefined) return undefined;
    request.lenience = 'cold';
    const isUsable = request.accepts(member);
    request.lenience = 'usual';
    return isUsable ? member : undefined;
  }
}
