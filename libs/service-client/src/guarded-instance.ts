import { CircuitBreaker, type CircuitBreakerOptions } from '@mesh/circuit-breaker';
import type { Endpoint } from '@mesh/load-balancer';
import type { ServiceInstance } from './discovery.ts';
import { originOf, type Address, type Peer } from './transport.ts';

/** A registry's mistake in one record must not fail the calls to all: a weight that is none counts as 1. */
function weightOf(weight = 1): number {
  return weight >= 0 && weight <= 1_000_000 ? weight : 1;
}

/** The same for a priority: none counts as 0. */
function priorityOf(priority: unknown): number {
  const level = Number(priority ?? 0);
  return Number.isSafeInteger(level) && level >= 0 ? level : 0;
}

const textOf = (value: unknown): string => (typeof value === 'string' ? value : '');

/** Most route classes that an instance keeps circuits for; calls of further ones share the instance's own. */
const maxRouteClasses = 100;

/** Is shown every circuit that is made, with its route class if it has one. */
export type CircuitWatch = (breaker: CircuitBreaker, routeClass: string | undefined) => void;

/** The circuits of an instance: its own, and one for each route class that was asked for. They outlive changes of its record. */
export class Circuits {
  readonly own: CircuitBreaker;
  readonly #name: string;
  readonly #options: CircuitBreakerOptions | undefined;
  readonly #watch: CircuitWatch | undefined;
  #classes: Map<string, CircuitBreaker> | undefined;

  constructor(name: string, options: CircuitBreakerOptions | undefined, watch?: CircuitWatch) {
    this.#name = name;
    this.#options = options;
    this.#watch = watch;
    this.own = new CircuitBreaker({ ...options, name });
    watch?.(this.own, undefined);
  }

  of(routeClass: string | undefined, options?: CircuitBreakerOptions): CircuitBreaker {
    if (routeClass === undefined) return this.own;
    const known = this.#classes?.get(routeClass);
    if (known !== undefined) return known;
    this.#classes ??= new Map();
    if (this.#classes.size >= maxRouteClasses) return this.own;
    const name = `${this.#name} ${routeClass}`;
    const breaker = new CircuitBreaker({ ...this.#options, ...options, name });
    this.#classes.set(routeClass, breaker);
    this.#watch?.(breaker, routeClass);
    return breaker;
  }
}

/** What the picks of one service have in common: for whom the one under way asks. */
export interface Asking {
  routeClass: string | undefined;
  options: CircuitBreakerOptions | undefined;
}

/** An instance with the circuits that guard it and the connections to it: what the balancer picks from. */
export class GuardedInstance implements Endpoint {
  readonly id: string;
  readonly weight: number;
  readonly priority: number;
  readonly zone: string;
  readonly version: string;
  readonly metadata: Readonly<Record<string, unknown>>;
  readonly instance: ServiceInstance;
  readonly circuits: Circuits;
  readonly address: Address;
  readonly origin: string;
  readonly peer: Peer | undefined;
  readonly #asking: Asking;

  constructor(instance: ServiceInstance, circuits: Circuits, asking: Asking, peer?: Peer) {
    const { id, weight } = instance;
    const metadata = metadataOf(instance);
    this.id = id;
    this.weight = weightOf(weight);
    this.priority = priorityOf(metadata['priority']);
    this.zone = textOf(metadata['zone']);
    this.version = textOf(metadata['version']);
    this.metadata = metadata;
    this.instance = instance;
    this.circuits = circuits;
    this.address = addressOf(instance);
    this.origin = originOf(this.address);
    this.peer = peer;
    this.#asking = asking;
  }

  /** The circuit that guards calls like the one that is asking. */
  get breaker(): CircuitBreaker {
    return this.circuits.of(this.#asking.routeClass, this.#asking.options);
  }

  get available(): boolean {
    return this.breaker.available;
  }
}

/** All that an instance says of itself under one name each. */
function metadataOf({ metadata = {}, zone, version }: ServiceInstance): Readonly<Record<string, unknown>> {
  if (zone === undefined && version === undefined) return metadata;
  return { ...metadata, ...(zone !== undefined && { zone }), ...(version !== undefined && { version }) };
}

/** Where an instance is; over TLS when its metadata says so. */
export function addressOf({ host, port, metadata }: ServiceInstance): Address {
  const isTls = metadata?.['scheme'] === 'https' || metadata?.['protocol'] === 'https';
  return { scheme: isTls ? 'https' : 'http', host, port };
}
