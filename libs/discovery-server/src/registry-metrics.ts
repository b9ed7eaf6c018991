import { Counter, Gauge, Registry as Metrics } from 'prom-client';
import type { Liveness } from './liveness.ts';
import type { Registry } from './registry.ts';
import type { RegistryStore } from './registry-store.ts';
import type { WatchHub } from './watch-hub.ts';

/** What is measured besides the registry itself. */
export interface MetricParts {
  readonly watchHub?: WatchHub | undefined;
  readonly liveness?: Liveness | undefined;
  readonly store?: RegistryStore | undefined;
}

/** Text for a scrape, and what to call it. */
export interface MetricsText {
  readonly contentType: string;
  readonly body: string;
}

/**
 * The state of a registry for Prometheus. Gauges are read when they are asked for; counters follow the changes. Names of
 * services are labels of one gauge alone, and only while they have instances.
 */
export class RegistryMetrics {
  readonly #metrics = new Metrics();
  readonly #unsubscribe: () => void;

  constructor(registry: Registry, { watchHub, liveness, store }: MetricParts = {}) {
    this.#metrics.setContentType(
      Metrics.OPENMETRICS_CONTENT_TYPE as unknown as typeof Metrics.PROMETHEUS_CONTENT_TYPE,
    );
    const registers = [this.#metrics];
    const gauge = (name: string, help: string, read: () => number): void => {
      new Gauge({
        name: `mesh_discovery_${name}`,
        help,
        registers,
        collect() {
          this.set(read());
        },
      });
    };
    new Gauge({
      name: 'mesh_discovery_instances',
      help: 'Instances by service and status',
      labelNames: ['service', 'status'],
      registers,
      collect() {
        this.reset();
        for (const { key, instances } of countByStatus(registry)) {
          for (const [status, count] of instances) this.set({ service: key, status }, count);
        }
      },
    });
    gauge('services', 'Services with an instance', () => registry.serviceCount);
    gauge('watchers', 'Open watch streams', () => watchHub?.size ?? 0);
    gauge('sessions', 'Instances that hold a session open', () => liveness?.sessions.size ?? 0);
    gauge('checked_instances', 'Instances that are checked', () => liveness?.prober?.size ?? 0);
    gauge('protection', 'Whether instances are kept although their lease is over', () =>
      liveness?.guardian.isProtecting === true ? 1 : 0,
    );
    gauge('store_connected', 'Whether what changes is kept', () => (store?.isConnected === false ? 0 : 1));
    gauge('stalled_seconds', 'Time in which the process stood still', () => registry.stalledMs / 1000);
    const changes = new Counter({
      name: 'mesh_discovery_changes',
      help: 'Changes that were told to watchers',
      labelNames: ['type', 'reason'],
      registers,
    });
    this.#unsubscribe = registry.subscribe((change) => {
      changes.inc({ type: change.type, reason: change.type === 'remove' ? change.reason : '' });
    });
  }

  /** OpenMetrics 1.0 text. */
  async text(): Promise<MetricsText> {
    return { contentType: this.#metrics.contentType, body: await this.#metrics.metrics() };
  }

  /** Stops counting. */
  close(): void {
    this.#unsubscribe();
  }
}

/** Whether an `Accept` asks for a text that Prometheus reads rather than for JSON. */
export function wantsOpenMetrics(accept: string | undefined): boolean {
  return accept !== undefined && /application\/openmetrics-text|text\/plain/.test(accept);
}

function* countByStatus(registry: Registry): Generator<{ key: string; instances: Map<string, number> }> {
  for (const service of registry.services()) {
    const instances = new Map<string, number>();
    for (const { status } of service.instances('any'))
      instances.set(status, (instances.get(status) ?? 0) + 1);
    yield { key: service.key, instances };
  }
}
