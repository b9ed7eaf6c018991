import {
  CircuitBreaker,
  type CircuitBreakerOptions,
  type CircuitState,
  type Permit,
} from '@mesh/circuit-breaker';
import { LoadBalancer, type Lease, type LoadBalancerOptions, type Strategy } from '@mesh/load-balancer';
import { LRUCache } from 'lru-cache';
import { Admission } from './admission.ts';
import type { CallContext } from './call-context.ts';
import type { ServiceInstance } from './discovery.ts';
import { GuardedInstance } from './guarded-instance.ts';
import { integer } from './options.ts';

/** Options of the balancer of each service, beside its strategy. */
export type Balancing = Pick<
  LoadBalancerOptions,
  'filter' | 'subset' | 'zone' | 'slowStart' | 'ejection' | 'panicRatio'
>;

/** How the instances of services are chosen and guarded. */
export interface ServicePoolOptions {
  /** How an instance is picked: a name of `@mesh/load-balancer` or a policy of your own (default `'adaptive'`). */
  readonly strategy?: Strategy;
  /** Slow start, ejection, zones and the like, see `@mesh/load-balancer` (default: none of them). */
  readonly balancing?: Balancing;
  /** Options of the breaker that each instance gets for itself. */
  readonly circuitBreaker?: CircuitBreakerOptions;
  /** Most services remembered at a time (default 1000); the one used longest ago is forgotten. */
  readonly maxServices?: number;
  /** Source of randomness for the pick, 0 <= x < 1 (default `Math.random`). */
  readonly random?: () => number;
  /** Monotonic clock in milliseconds (default `performance`). */
  readonly clock?: { now(): number };
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
}

const nobody: ReadonlySet<string> = new Set();

/** Balancer and breakers of one service. */
export class ServicePool {
  readonly #name: string;
  readonly #options: ServicePoolOptions;
  readonly #clock: { now(): number };
  readonly #balancer: LoadBalancer<GuardedInstance>;
  #guarded = new Map<string, GuardedInstance>();
  #instances: readonly ServiceInstance[] | undefined;

  /** @throws RangeError when an option is out of range. */
  constructor(name: string, options: ServicePoolOptions) {
    const { strategy = 'adaptive', balancing, random } = options;
    this.#name = name;
    this.#options = options;
    this.#clock = options.clock ?? performance;
    this.#balancer = new LoadBalancer<GuardedInstance>({
      ...balancing,
      strategy,
      clock: this.#clock,
      ...(random !== undefined && { random }),
    });
  }

  /** Takes over a new list of instances; the list of last time costs one comparison. */
  update(instances: readonly ServiceInstance[]): this {
    if (instances === this.#instances) return this;
    const guarded = new Map<string, GuardedInstance>();
    for (const instance of instances) guarded.set(instance.id, this.#guard(instance));
    this.#instances = instances;
    this.#guarded = guarded;
    this.#balancer.update([...guarded.values()]);
    return this;
  }

  /**
   * The instance to ask next, or undefined when there is none. In this order: one that was not tried and whose circuit
   * lets the request pass; one that was tried and may pass (an instance that failed once beats a circuit that is open);
   * when every circuit refuses, any instance without a permit, rather than none.
   */
  admit(context: CallContext): Admission | undefined {
    const { tried } = context;
    const fresh = this.#pick(context, tried);
    const settled = fresh?.permit !== undefined || tried.size === 0;
    const chosen = settled ? fresh : better(fresh, this.#pick(context, nobody));
    if (chosen === undefined) return undefined;
    const { id } = chosen.lease.endpoint;
    if (tried.has(id)) tried.clear();
    tried.add(id);
    context.instance = id;
    context.attempts += 1;
    context.othersLeft = this.#othersLeft(tried);
    return new Admission(chosen.lease, chosen.permit, this.#clock);
  }

  /** Frozen plain data about the instances. */
  getSnapshot(): ServiceSnapshot {
    const instances = this.#balancer.getSnapshot().flatMap((load) => {
      const guarded = this.#guarded.get(load.id);
      if (guarded === undefined) return [];
      const { id, host, port } = guarded.instance;
      const { state, failureCount, successCount } = guarded.breaker.getSnapshot();
      const { inflight, latencyMs, picks } = load;
      const { available } = guarded;
      return [
        Object.freeze({
          ...{ id, host, port, state, available },
          ...{ failureCount, successCount, inflight, latencyMs, picks },
        }),
      ];
    });
    return Object.freeze({ instances: Object.freeze(instances) });
  }

  /** A restarted instance (another incarnation) starts with a clean breaker; a changed record keeps the one it has. */
  #guard(instance: ServiceInstance): GuardedInstance {
    const known = this.#guarded.get(instance.id);
    if (known?.instance === instance) return known;
    if (known !== undefined && known.instance.incarnation === instance.incarnation) {
      return new GuardedInstance(instance, known.breaker);
    }
    const name = `${this.#name}/${instance.id}`;
    return new GuardedInstance(instance, new CircuitBreaker({ ...this.#options.circuitBreaker, name }));
  }

  /** A pick has no permit when the balancer could offer nothing better than a circuit that refuses. */
  #pick({ key, prefer }: CallContext, excluded: ReadonlySet<string>): Admitted | undefined {
    const lease = this.#balancer.pick({ excluded, prefer, ...(key !== undefined && { key }) });
    return lease && { lease, permit: lease.endpoint.breaker.tryAcquire() };
  }

  #othersLeft(tried: ReadonlySet<string>): boolean {
    for (const { id, available } of this.#guarded.values()) if (available && !tried.has(id)) return true;
    return false;
  }
}

interface Admitted {
  readonly lease: Lease<GuardedInstance>;
  readonly permit: Permit | undefined;
}

/** A tried instance that may be asked beats an untried one whose circuit is open; the loser's load is taken back. */
function better(fresh: Admitted | undefined, again: Admitted | undefined): Admitted | undefined {
  if (fresh === undefined || again === undefined) return fresh ?? again;
  const [winner, loser] = again.permit === undefined ? [fresh, again] : [again, fresh];
  loser.lease.done({ outcome: 'ignored' });
  return winner;
}

/** The pools of all services that a client calls, bounded. */
export class ServicePools {
  readonly #pools: LRUCache<string, ServicePool>;

  /** @throws RangeError when an option is out of range. */
  constructor(options: ServicePoolOptions = {}) {
    this.#pools = new LRUCache({
      max: integer('maxServices', options.maxServices ?? 1000, 1),
      memoMethod: (service) => new ServicePool(service, options),
    });
    // Options that a pool would refuse are refused now, not at the first call.
    new CircuitBreaker(options.circuitBreaker);
    new ServicePool('check', options);
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
