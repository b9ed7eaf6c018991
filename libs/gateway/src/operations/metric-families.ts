import type { ServiceClientSnapshot } from '@mesh/service-client';
import { AggregatorRegistry } from 'prom-client';
import { priorities } from './admission.ts';
import type { OverloadSnapshot } from './overload.ts';
import { bucketBoundsMs, statusClasses, type RouteSeries } from './route-metrics.ts';
import type { CacheSnapshot } from '../cache/response-cache.ts';

/** One sample of a metric. */
interface Sample {
  readonly value: number;
  readonly labels: Readonly<Record<string, string>>;
  /** Where it is not the name of the family: `..._bucket`. */
  readonly metricName?: string;
}

/** A metric with all its samples, as `prom-client` takes it; plain data, so that it can go to another process. */
export interface MetricFamily {
  readonly name: string;
  readonly help: string;
  readonly type: 'counter' | 'gauge' | 'histogram';
  /** How those of several processes become one. */
  readonly aggregator: 'sum' | 'max';
  readonly values: readonly Sample[];
}

/** What a gateway has counted. */
export interface GatewayCounts {
  readonly client: ServiceClientSnapshot;
  readonly routes: readonly RouteSeries[];
  readonly overload?: OverloadSnapshot | undefined;
  readonly cache?: CacheSnapshot | undefined;
}

/** Media types of the text, by what may be asked for. */
export const metricsTypes = {
  openMetrics: 'application/openmetrics-text; version=1.0.0; charset=utf-8',
  prometheus: 'text/plain; version=0.0.4; charset=utf-8',
} as const;

/** Which text an `Accept` asks for; undefined: JSON. A bare `text/plain` is no wish for it, many clients of JSON send it along. */
export function metricsTypeFor(accept: string | undefined): string | undefined {
  if (accept === undefined) return undefined;
  if (accept.includes('application/openmetrics-text')) return metricsTypes.openMetrics;
  return /text\/plain\s*;\s*version=0\.0\.4/.test(accept) ? metricsTypes.prometheus : undefined;
}

/** `AggregatorRegistry.aggregate`, whose types know nothing of its second parameter. */
interface Aggregator {
  aggregate(processes: readonly (readonly MetricFamily[])[], type: string): { metrics(): Promise<string> };
}

/** The text for a scrape, of one process or of several together. */
export function metricsText(processes: readonly (readonly MetricFamily[])[], type: string): Promise<string> {
  const named =
    type === metricsTypes.openMetrics ? processes.map((families) => families.map(withoutTotal)) : processes;
  return (AggregatorRegistry as Aggregator).aggregate(named, type).metrics();
}

/** In OpenMetrics the family has the name and its sample the suffix, which is added when it is written. */
function withoutTotal(family: MetricFamily): MetricFamily {
  return { ...family, name: family.name.replace(/_total$/, '') };
}

/** The counts of one process as metrics. */
export function metricFamilies({ client, routes, overload, cache }: GatewayCounts): MetricFamily[] {
  return [
    ...routeFamilies(routes),
    counter('retries_total', 'Attempts that were made again', [sample(client.totals.retries)]),
    gauge('circuits', 'Circuits of instances by state', circuitSamples(client)),
    counter('ejections_total', 'How often instances were taken out that stood out', ejectionSamples(client)),
    gauge('ejected', 'Instances that are taken out', ejectedSamples(client)),
    ...(overload === undefined ? [] : overloadFamilies(overload)),
    ...(cache === undefined ? [] : cacheFamilies(cache)),
  ];
}

function routeFamilies(routes: readonly RouteSeries[]): MetricFamily[] {
  const each = (samples: (series: RouteSeries, labels: Sample['labels']) => Sample[]): Sample[] =>
    routes.flatMap((series) => samples(series, { route: series.route, service: series.service }));
  return [
    counter('requests_total', 'Requests that have ended', each(requestSamples)),
    {
      ...family(
        'request_duration_seconds',
        'From the request to the end of its answer',
        each(durationSamples),
      ),
      type: 'histogram',
    },
    gauge(
      'requests_in_flight',
      'Requests under way',
      each(({ inFlight }, labels) => [sample(inFlight, labels)]),
    ),
    counter(
      'upstream_bytes_total',
      'Bytes of bodies to and from instances',
      each(({ bytesSent, bytesReceived }, labels) => [
        sample(bytesSent, { ...labels, direction: 'sent' }),
        sample(bytesReceived, { ...labels, direction: 'received' }),
      ]),
    ),
  ];
}

function requestSamples({ instances }: RouteSeries, labels: Sample['labels']): Sample[] {
  return [...instances].flatMap(([instance, { byClass }]) =>
    statusClasses.flatMap((status, index) => {
      const count = byClass[index] ?? 0;
      return count === 0 ? [] : [sample(count, { ...labels, instance, status })];
    }),
  );
}

function durationSamples({ buckets, totalMs }: RouteSeries, labels: Sample['labels']): Sample[] {
  const name = 'mesh_gateway_request_duration_seconds';
  let count = 0;
  const cumulative = Array.from(buckets, (inBucket, index) => {
    const bound = bucketBoundsMs[index];
    count += inBucket;
    const le = bound === undefined ? '+Inf' : String(bound / 1000);
    return { ...sample(count, { ...labels, le }), metricName: `${name}_bucket` };
  });
  return [
    ...cumulative,
    { ...sample(totalMs / 1000, labels), metricName: `${name}_sum` },
    { ...sample(count, labels), metricName: `${name}_count` },
  ];
}

function circuitSamples({ services }: ServiceClientSnapshot): Sample[] {
  return Object.entries(services).flatMap(([service, { instances }]) =>
    instances.map(({ id: instance, state }) => sample(1, { service, instance, state })),
  );
}

function ejectionSamples({ services }: ServiceClientSnapshot): Sample[] {
  return Object.entries(services).flatMap(([service, { figures }]) =>
    figures === undefined ? [] : [sample(figures.ejections, { service })],
  );
}

function ejectedSamples({ services }: ServiceClientSnapshot): Sample[] {
  return Object.entries(services).flatMap(([service, { instances }]) =>
    instances.map(({ id: instance, ejected }) => sample(Number(ejected), { service, instance })),
  );
}

function overloadFamilies({ shed, refusedClients, queued, pressure }: OverloadSnapshot): MetricFamily[] {
  return [
    counter(
      'shed_total',
      'Requests that were shed',
      priorities.map((priority) => sample(shed[priority], { priority })),
    ),
    counter('refused_clients_total', 'Requests of clients that had too many', [sample(refusedClients)]),
    gauge('requests_waiting', 'Requests that wait for a slot', [sample(queued)]),
    { ...gauge('pressure', 'How slow the process is: 0, 1 or 2', [sample(pressure)]), aggregator: 'max' },
  ];
}

function cacheFamilies(cache: CacheSnapshot): MetricFamily[] {
  const results = ['hits', 'misses', 'stale', 'revalidated', 'coalesced', 'bypassed'] as const;
  return [
    counter(
      'cache_requests_total',
      'Requests by what the cache did',
      results.map((result) => sample(cache[result], { result })),
    ),
    gauge('cache_bytes', 'Bytes of stored answers', [sample(cache.bytes)]),
  ];
}

function sample(value: number, labels: Sample['labels'] = {}): Sample {
  return { value, labels };
}

function family(name: string, help: string, values: readonly Sample[]): Omit<MetricFamily, 'type'> {
  return { name: `mesh_gateway_${name}`, help, aggregator: 'sum', values };
}

function counter(name: string, help: string, values: readonly Sample[]): MetricFamily {
  return { ...family(name, help, values), type: 'counter' };
}

function gauge(name: string, help: string, values: readonly Sample[]): MetricFamily {
  return { ...family(name, help, values), type: 'gauge' };
}
