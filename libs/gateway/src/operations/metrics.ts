import type { ServiceClientSnapshot, ServiceSnapshot } from '@mesh/service-client';
import type { Upstream } from '../compose/upstream.ts';

/** State of a circuit in capitals, as dashboards know it. */
export type CircuitStatus = 'CLOSED' | 'OPEN' | 'HALF_OPEN';

/** One circuit. */
export interface CircuitMetrics {
  readonly status: CircuitStatus;
  /** Failures in the time window. */
  readonly failureCount: number;
  /** Trials that have succeeded while half-open. */
  readonly successCount: number;
}

/** What `GET /metrics` answers. Calls that their callers gave up are in none of the counts. */
export interface MeshMetrics {
  readonly totalRequests: number;
  readonly successfulRequests: number;
  readonly failedRequests: number;
  /** Two decimals: `"97.64%"`; `"100.00%"` before the first request. */
  readonly successRate: string;
  /** Whole ms: `"45ms"`; `"0ms"` before the first request. */
  readonly averageLatency: string;
  /** By service. */
  readonly circuitBreakers: Readonly<Record<string, CircuitMetrics>>;
  /** By `<service>:<id of the instance>`: false while the circuit of the instance is open. */
  readonly serviceHealth: Readonly<Record<string, boolean>>;
}

const statusOf = { closed: 'CLOSED', open: 'OPEN', 'half-open': 'HALF_OPEN' } as const;

/** The part of a client's snapshot that is shown. */
export interface CountedCalls {
  readonly totals: ServiceClientSnapshot['totals'];
  readonly services: Readonly<Record<string, Pick<ServiceSnapshot, 'instances'>>>;
}

/** The metrics of a client, and of the upstreams that put a circuit of their own above it. */
export function meshMetrics(snapshot: CountedCalls, upstreams: readonly Upstream[] = []): MeshMetrics {
  const { succeeded, failed, latencyMsTotal } = snapshot.totals;
  const total = succeeded + failed;
  return {
    totalRequests: total,
    successfulRequests: succeeded,
    failedRequests: failed,
    successRate: `${percent(succeeded, total).toFixed(2)}%`,
    averageLatency: `${total === 0 ? 0 : Math.round(latencyMsTotal / total)}ms`,
    circuitBreakers: circuitMetrics(snapshot, upstreams),
    serviceHealth: Object.fromEntries(
      Object.entries(snapshot.services).flatMap(([service, { instances }]) =>
        instances.map(({ id, state }) => [`${service}:${id}`, state !== 'open'] as const),
      ),
    ),
  };
}

/** One circuit for each service: that of its upstream where there is one, else what its instances' circuits come to. */
export function circuitMetrics(
  { services }: Pick<CountedCalls, 'services'>,
  upstreams: readonly Upstream[],
): Readonly<Record<string, CircuitMetrics>> {
  return Object.fromEntries([
    ...Object.entries(services).map(([service, { instances }]) => [service, sumOf(instances)] as const),
    ...upstreams.map(({ service, circuit }) => [service, ofUpstream(circuit.getSnapshot())] as const),
  ]);
}

function ofUpstream(circuit: ReturnType<Upstream['circuit']['getSnapshot']>): CircuitMetrics {
  const { state, failureCount, successCount } = circuit;
  return { status: statusOf[state], failureCount, successCount };
}

/** Open when every instance's circuit is; half-open when the best of them is. */
function sumOf(instances: ServiceSnapshot['instances']): CircuitMetrics {
  const has = (state: string): boolean => instances.some((instance) => instance.state === state);
  const status = instances.length === 0 || has('closed') ? 'CLOSED' : has('half-open') ? 'HALF_OPEN' : 'OPEN';
  return {
    status,
    failureCount: instances.reduce((sum, { failureCount }) => sum + failureCount, 0),
    successCount: instances.reduce((sum, { successCount }) => sum + successCount, 0),
  };
}

/** Never "100.00" while something failed, however little. */
function percent(part: number, whole: number): number {
  if (whole === 0 || part === whole) return 100;
  return Math.min(99.99, (part / whole) * 100);
}
