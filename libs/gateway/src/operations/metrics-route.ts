import type { ServiceClient, ServiceClientSnapshot } from '@mesh/service-client';
import type { FastifyInstance } from 'fastify';
import type { Upstream } from '../compose/upstream.ts';
import { metricFamilies, metricsText, metricsTypeFor, type MetricFamily } from './metric-families.ts';
import type { CacheSnapshot } from '../cache/response-cache.ts';
import { meshMetrics } from './metrics.ts';
import type { Overload } from './overload.ts';
import type { RouteMetrics } from './route-metrics.ts';
import type { Siblings } from './siblings.ts';

/** What `GET /metrics` tells of. */
export interface MetricsSources {
  readonly client: Pick<ServiceClient, 'getSnapshot'>;
  /** Upstreams whose circuits stand for their services in the JSON. Default: none. */
  readonly upstreams?: readonly Upstream[];
  readonly metrics?: RouteMetrics;
  readonly overload?: Pick<Overload, 'getSnapshot'>;
  readonly cache?: { getSnapshot(): CacheSnapshot };
}

interface Report {
  readonly client: ServiceClientSnapshot;
  readonly families: readonly MetricFamily[];
}

const topic = 'gateway.metrics';

const schema = { summary: 'Requests, circuits and instances', tags: ['mesh'] };

/** `GET /metrics`: JSON, or text for a scrape where `Accept` asks for it; of all processes together. */
export function addMetrics(app: FastifyInstance, sources: MetricsSources, siblings: Siblings): void {
  const { client, upstreams = [] } = sources;
  siblings.answer(topic, () => report(sources));
  app.get('/metrics', { schema }, async (request, reply) => {
    void reply.header('cache-control', 'no-store').header('vary', 'accept');
    const type = metricsTypeFor(request.headers.accept);
    const reports = (await siblings.gather(topic)) as Report[];
    if (type === undefined) return meshMetrics(together(client, reports), upstreams);
    const text = await metricsText(
      reports.map(({ families }) => families),
      type,
    );
    return reply.type(type).send(text);
  });
}

function report({ client, metrics, overload, cache }: MetricsSources): Report {
  const snapshot = client.getSnapshot();
  const families = metricFamilies({
    client: snapshot,
    routes: metrics?.read() ?? [],
    overload: overload?.getSnapshot(),
    cache: cache?.getSnapshot(),
  });
  return { client: snapshot, families };
}

/** Totals are added up. Circuits are those of this process: each of them judges for itself. */
function together(client: MetricsSources['client'], reports: readonly Report[]): ServiceClientSnapshot {
  const own = client.getSnapshot();
  const sum = (key: keyof ServiceClientSnapshot['totals']): number =>
    reports.reduce((total, one) => total + one.client.totals[key], 0);
  return {
    ...own,
    totals: {
      requests: sum('requests'),
      succeeded: sum('succeeded'),
      failed: sum('failed'),
      aborted: sum('aborted'),
      retries: sum('retries'),
      latencyMsTotal: sum('latencyMsTotal'),
    },
  };
}
