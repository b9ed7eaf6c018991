import type { CircuitBreaker } from '@mesh/circuit-breaker';
import type { Endpoint } from '@mesh/load-balancer';
import type { ServiceInstance } from './discovery.ts';

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

/** An instance with the breaker that guards it: what the balancer picks from. */
export class GuardedInstance implements Endpoint {
  readonly id: string;
  readonly weight: number;
  readonly priority: number;
  readonly zone: string;
  readonly version: string;
  readonly metadata: Readonly<Record<string, unknown>>;
  readonly instance: ServiceInstance;
  readonly breaker: CircuitBreaker;
  readonly origin: string;

  constructor(instance: ServiceInstance, breaker: CircuitBreaker) {
    const { id, host, port, weight, metadata = {} } = instance;
    this.id = id;
    this.weight = weightOf(weight);
    this.priority = priorityOf(metadata['priority']);
    this.zone = textOf(metadata['zone']);
    this.version = textOf(metadata['version']);
    this.metadata = metadata;
    this.instance = instance;
    this.breaker = breaker;
    this.origin = `http://${host.includes(':') ? `[${host}]` : host}:${port}`;
  }

  get available(): boolean {
    return this.breaker.available;
  }
}
