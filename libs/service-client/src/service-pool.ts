import { CircuitBreaker, type CircuitBreakerOptions, type CircuitState } from '@mesh/circuit-breaker';
import {
  LoadBalancer,
  type EjectionEvent,
  type LoadBalancerOptions,
  type PickContext,
  type Strategy,
} from '@mesh/load-balancer';
import { RetryBudget, type RetryBudgetOptions } from '@mesh/resilience';
import { LRUCache } from 'lru-cache';
import { Admission } from './admission.ts';
import type { CallContext } from './call-context.ts';
import { CallPolicy, type CallPolicyOptions, type CallRules } from './call-policy.ts';
import type { ServiceInstance } from './discovery.ts';
import { EventClock } from './event-clock.ts';
import { addressOf, Circuits, GuardedInstance, type Asking, type CircuitWatch } from './guarded-instance.ts';
import { tell, type Observer } from './observer.ts';
import { integer } from './options.ts';
import { ServiceFigures, type ServiceFiguresSnapshot } from './service-figures.ts';
import { ServiceGates, type GateOptions } from './service-gates.ts';
import type { Peer, Transport } from './transport.ts';

/** Options of the balancer of each service, beside its strategy. */
export type Balancing = Pick<
  LoadBalancerOptions,
  'filter' | 'subset' | 'zone' | 'slowStart' | 'ejection' | 'panicRatio'
>;

/** How the instances of one service are chosen and guarded. */
export interface ServiceOptions extends CallPolicyOptions, GateOptions {
  /** How an instance is picked: a name of `@mesh/load-balancer` or a policy of your own (default `'adaptive'`). */
  readonly strategy?: Strategy;
  /** Slow start, ejection, zones and the like, see `@mesh/load-balancer` (default: none of them). */
  readonly balancing?: Balancing;
  /** Options of the breaker that each instance gets for itself. */
  readonly circuitBreaker?: CircuitBreakerOptions;
}

/** How the instances of services are chosen and guarded. */
export interface ServicePoolOptions {
  /** How an instance is picked: a name of `@mesh/load-balancer` or a policy of your own (default `'adaptive'`). */
  readonly strategy?: Strategy;
  /** Slow start, ejection, zones and the like, see `@mesh/load-balancer` (default: none of them). */
  readonly balancing?: Balancing;
  /** Options of the breaker that each instance gets for itself. */
  readonly circuitBreaker?: CircuitBreakerOptions;
  /** What is different for single services, by name. */
  readonly services?: Readonly<Record<string, ServiceOptions>>;
  /** What retries and hedges may add to the requests of each service. */
  readonly retryBudget?: RetryBudgetOptions;
  /** Most services remembered at a time (default 1000); the one used longest ago is forgotten. */
  readonly maxServices?: number;
  /** Source of randomness for the pick, 0 <= x < 1 (default `Math.random`). */
  readonly random?: () => number;
  /** Monotonic clock in milliseconds (default `performance`). */
  readonly clock?: { now(): number };
  /** What opens the connections to the instances; without it the request goes to the next dispatcher, with the instance's origin. */
  readonly transport?: Transport;
  /** Is told of changes of circuits, and of instances that are taken out. */
  readonly observer?: Observer;
}

/** One instance as it stands now. */
export interface InstanceSnapshot {
  readonly id: string;
  readonly host: string;
  readonly port: number;
  /** State of the instance's circuit. */
  readonly state: CircuitState;
  /** Whether the circuit would let a request pass. */
  readonly available: boolean;
  /** Failures in the circuit's time window. */
  readonly failureCount: number;
  /** Trials that succeeded since the circuit became half-open. */
  readonly successCount: number;
  /** Whether the balancer has taken it out (`balancing.ejection`): it gets none, or one at a time, until one succeeds. Where its circuit refuses, too, that is told alone. */
  readonly ejected: boolean;
  /** Requests whose body has not ended. */
  readonly inflight: number;
  /** Moving average of the time to the response headers in milliseconds; undefined before the first answer. */
  readonly latencyMs: number | undefined;
  /** How often the instance was picked. */
  readonly picks: number;
}

/** One service as it stands now. */
export interface ServiceSnapshot {
  readonly instances: readonly InstanceSnapshot[];
  /** What was done for it. */
  readonly figures?: ServiceFiguresSnapshot;
}

const nobody: ReadonlySet<string> = new Set();

/** Everything that is known of one service: its instances, their circuits, the balancer, the budget of its retries. */
export class ServicePool {
  readonly name: string;
  readonly budget: RetryBudget;
  readonly figures = new ServiceFigures();
  readonly #policy: CallPolicy | undefined;
  readonly #circuitBreaker: CircuitBreakerOptions | undefined;
  readonly #transport: Transport | undefined;
  readonly #observer: Observer | undefined;
  readonly #clock: EventClock;
  readonly #balancer: LoadBalancer<GuardedInstance>;
  readonly #asking: Asking = { routeClass: undefined, options: undefined };
  readonly #wanted = new Wanted();
  #guarded = new Map<string, GuardedInstance>();
  #instances: readonly ServiceInstance[] | undefined;

  /** @throws RangeError when an option is out of range. */
  constructor(name: string, options: ServicePoolOptions, clock?: EventClock) {
    const { services = {}, ...shared } = options;
    const own = Object.hasOwn(services, name) ? services[name] : undefined;
    const { strategy = 'adaptive', balancing, circuitBreaker, random } = { ...shared, ...own };
    this.name = name;
    this.budget = new RetryBudget(options.retryBudget);
    this.#policy = own && new CallPolicy(own);
    this.#circuitBreaker = circuitBreaker;
    this.#transport = options.transport;
    this.#observer = options.observer;
    this.#clock = clock ?? new EventClock(options.clock ?? performance);
    this.#balancer = new LoadBalancer<GuardedInstance>({
      ...balancing,
      strategy,
      clock: this.#clock,
      onEjection: (event) => {
        this.#ejected(event);
      },
      ...(random !== undefined && { random }),
    });
  }

  /** The service's own rules over those of its client. */
  rulesOver(base: CallRules): CallRules {
    return this.#policy === undefined ? base : this.#policy.over(base);
  }

  /** Takes over a new list of instances; the list of last time costs one comparison. */
  update(instances: readonly ServiceInstance[]): this {
    if (instances === this.#instances) return this;
    const before = this.#guarded;
    const guarded = new Map<string, GuardedInstance>();
    for (const instance of instances) guarded.set(instance.id, this.#guard(instance));
    this.#instances = instances;
    this.#guarded = guarded;
    this.#balancer.update([...guarded.values()]);
    // Only now: a peer that goes over to a new record is never without a user.
    for (const one of before.values()) if (guarded.get(one.id) !== one) one.peer?.release();
    return this;
  }

  /**
   * The instance to ask next, or undefined when there is none. In this order: one that was not tried and whose circuit
   * lets the request pass; one that was tried and may pass (an instance that failed once beats a circuit that is open);
   * when every circuit refuses, any instance without a permit, rather than none.
   */
  admit(context: CallContext, admission: Admission = new Admission(this.#clock)): Admission | undefined {
    this.#ask(context);
    const first = context.attempts === 0 && context.tried === undefined;
    const granted = first ? this.#grant(nobody, admission) : this.#grantAgain(context, admission);
    if (!granted) return undefined;
    const id = admission.guarded?.id ?? '';
    if (!first) {
      const tried = (context.tried ??= new Set());
      if (tried.has(id)) tried.clear();
      tried.add(id);
    }
    context.instance = id;
    context.attempts += 1;
    return admission;
  }

  /** Whether another instance is left for the call: not tried yet, wanted, and its circuit lets a request pass. */
  hasOthers(context: CallContext): boolean {
    this.#ask(context);
    const { tried, instance } = context;
    for (const one of this.#guarded.values()) {
      const isTried = tried === undefined ? one.id === instance : tried.has(one.id);
      if (!isTried && one.available && this.#wanted.matches(one)) return true;
    }
    return false;
  }

  /** Frozen plain data about the instances. */
  getSnapshot(): ServiceSnapshot {
    this.#clock.read();
    const instances = this.#balancer.getSnapshot().flatMap((load) => {
      const guarded = this.#guarded.get(load.id);
      if (guarded === undefined) return [];
      const { id, host, port } = guarded.instance;
      const { own } = guarded.circuits;
      const { state, failureCount, successCount } = own.getSnapshot();
      const { inflight, latencyMs, picks } = load;
      const { available } = own;
      const ejected = load.state === 'ejected' || load.state === 'half-open';
      return [
        Object.freeze({
          ...{ id, host, port, state, available, ejected },
          ...{ failureCount, successCount, inflight, latencyMs, picks },
        }),
      ];
    });
    return Object.freeze({ instances: Object.freeze(instances), figures: this.figures.getSnapshot() });
  }

  /** Closes the connections of all instances when their requests have ended. */
  release(): void {
    this.update([]);
  }

  /** A restarted instance (another incarnation) starts with clean circuits; a changed record keeps those it has. */
  #guard(instance: ServiceInstance): GuardedInstance {
    const known = this.#guarded.get(instance.id);
    if (known?.instance === instance) return known;
    const circuits =
      known !== undefined && known.instance.incarnation === instance.incarnation
        ? known.circuits
        : new Circuits(`${this.name}/${instance.id}`, this.#circuitBreaker, this.#watch(instance.id));
    return new GuardedInstance(instance, circuits, this.#asking, this.#connect(instance));
  }

  #watch(instance: string): CircuitWatch | undefined {
    const observer = this.#observer;
    if (observer?.circuitChanged === undefined) return undefined;
    return (breaker, routeClass) => {
      breaker.on('stateChange', ({ to: state }) => {
        observer.circuitChanged?.({
          ...{ service: this.name, instance, state },
          ...(routeClass !== undefined && { routeClass }),
        });
      });
    };
  }

  #ejected({ id: instance, state, termMs }: EjectionEvent): void {
    const service = this.name;
    if (state === 'ejected') this.figures.ejections += 1;
    tell(() => {
      if (state === 'ejected') this.#observer?.ejected?.({ service, instance, termMs });
      else this.#observer?.restored?.({ service, instance });
    });
  }

  #connect(instance: ServiceInstance): Peer | undefined {
    return this.#transport?.open(addressOf(instance));
  }

  /** Tells instances and filter what kind of call is asking now. */
  #ask({ routeClass, policy, where, key, prefer }: CallContext): void {
    this.#asking.routeClass = routeClass;
    this.#asking.options = routeClass === undefined ? undefined : policy?.circuitBreaker;
    this.#wanted.ask(where, key, prefer);
  }

  #grantAgain(context: CallContext, admission: Admission): boolean {
    const tried = (context.tried ??= new Set(context.instance === undefined ? [] : [context.instance]));
    if (tried.size === 0) return this.#grant(nobody, admission);
    const fresh = this.#pick(tried);
    const permit = fresh?.endpoint.breaker.tryAcquire();
    if (fresh !== undefined && permit !== undefined) return admission.grant(fresh, permit);
    const again = this.#pick(nobody);
    const second = again?.endpoint.breaker.tryAcquire();
    // A tried instance that may be asked beats an untried one whose circuit is open; the loser's load is taken back.
    const [winner, loser] = second === undefined && fresh !== undefined ? [fresh, again] : [again, fresh];
    loser?.done();
    return winner !== undefined && admission.grant(winner, winner === again ? second : undefined);
  }

  /** No permit when the balancer could offer nothing better than a circuit that refuses. */
  #grant(excluded: ReadonlySet<string>, admission: Admission): boolean {
    const lease = this.#pick(excluded);
    return lease !== undefined && admission.grant(lease, lease.endpoint.breaker.tryAcquire());
  }

  #pick(excluded: ReadonlySet<string>) {
    return this.#balancer.pick(this.#wanted.excluding(excluded));
  }
}

/** What is special about a pick; one object for all picks of a service, because a pick is synchronous. */
class Wanted {
  readonly #context: {
    -readonly [K in keyof PickContext<GuardedInstance>]: PickContext<GuardedInstance>[K];
  } = {};
  #isSpecial = false;
  #where: Readonly<Record<string, string>> | undefined;

  ask(where: CallContext['where'], key: string | undefined, prefer: string | undefined): void {
    if (where === undefined && key === undefined && prefer === undefined && !this.#isSpecial) return;
    this.#isSpecial = where !== undefined || key !== undefined || prefer !== undefined;
    this.#where = where;
    this.#context.prefer = prefer;
    if (key === undefined) delete this.#context.key;
    else this.#context.key = key;
    if (where === undefined) delete this.#context.only;
    else this.#context.only = this.#only;
  }

  excluding(excluded: ReadonlySet<string>): PickContext<GuardedInstance> | undefined {
    if (excluded.size === 0 && !this.#isSpecial) return undefined;
    this.#context.excluded = excluded;
    return this.#context;
  }

  matches({ metadata }: GuardedInstance): boolean {
    const where = this.#where;
    if (where === undefined) return true;
    for (const name in where) if (String(metadata[name]) !== where[name]) return false;
    return true;
  }

  readonly #only = (instance: GuardedInstance): boolean => this.matches(instance);
}

/** The pools of all services that a client calls, bounded. */
export class ServicePools {
  readonly clock: EventClock;
  readonly #options: ServicePoolOptions;
  /** Of the services that have any; they are there before the first instance is. */
  readonly #gates: ReadonlyMap<string, ServiceGates> | undefined;
  readonly #pools: LRUCache<string, ServicePool>;

  /** @throws RangeError when an option is out of range. */
  constructor(options: ServicePoolOptions = {}) {
    this.#options = options;
    this.#gates = gatesOf(options.services);
    this.clock = new EventClock(options.clock ?? performance);
    this.#pools = new LRUCache({
      max: integer('maxServices', options.maxServices ?? 1000, 1),
      memoMethod: (service) => new ServicePool(service, options, this.clock),
      dispose: (pool) => {
        pool.release();
      },
    });
    // Options that a pool would refuse are refused now, not at the first call.
    new CircuitBreaker(options.circuitBreaker);
    for (const name of ['', ...Object.keys(options.services ?? {})]) new ServicePool(name, options);
  }

  /** The gates before a service, if it has any. */
  gatesOf(service: string): ServiceGates | undefined {
    return this.#gates?.get(service);
  }

  /** What was said about a single service. */
  optionsOf(service: string): ServiceOptions | undefined {
    const { services } = this.#options;
    return services !== undefined && Object.hasOwn(services, service) ? services[service] : undefined;
  }

  /** The pool of a service that has been called; asking keeps it from being forgotten. */
  get(service: string): ServicePool | undefined {
    return this.#pools.get(service);
  }

  /** The pool of a service, brought up to date. A name without instances gets none, so made-up names push nobody out. */
  update(service: string, instances: readonly ServiceInstance[]): ServicePool | undefined {
    if (instances.length === 0) return this.#pools.peek(service)?.update(instances);
    return this.#pools.memo(service).update(instances);
  }

  /** Frozen plain data about all services. */
  getSnapshot(): Readonly<Record<string, ServiceSnapshot>> {
    const entries: [string, ServiceSnapshot][] = [];
    this.#pools.rforEach((pool, name) => entries.push([name, pool.getSnapshot()]));
    return Object.freeze(Object.fromEntries(entries));
  }
}

function gatesOf(
  services: ServicePoolOptions['services'] = {},
): ReadonlyMap<string, ServiceGates> | undefined {
  const gates = new Map<string, ServiceGates>();
  for (const [name, options] of Object.entries(services)) {
    const { bulkhead, rateLimit } = options;
    if (bulkhead !== undefined || rateLimit !== undefined) gates.set(name, new ServiceGates(name, options));
  }
  return gates.size === 0 ? undefined : gates;
}
