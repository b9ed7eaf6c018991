import { describe, expect, test } from '@jest/globals';
import type { ServiceClientSnapshot } from '@mesh/service-client';
import fc from 'fast-check';
import { metricFamilies, metricsText, metricsTypeFor, metricsTypes } from './metric-families.ts';
import { Overload } from './overload.ts';
import { bucketBoundsMs, RouteMetrics } from './route-metrics.ts';

const totals = { requests: 0, succeeded: 0, failed: 0, aborted: 0, retries: 7, latencyMsTotal: 0 };
const client = {
  totals,
  services: {
    'user-service': { instances: [{ id: 'u-1', state: 'open', ejected: true }], figures: { ejections: 2 } },
  },
} as unknown as ServiceClientSnapshot;

describe('the text for a scrape', () => {
  const metrics = new RouteMetrics();
  for (const [status, ms, instance] of [
    [200, 3, 'u-1'],
    [204, 2.5, 'u-1'],
    [503, 40, 'u-2'],
    [0, 20_000, 'u-2'],
    [404, 0.2, ''],
  ] as const) {
    metrics.begin('users', 'user-service').end(status, ms, instance);
  }
  const pending = metrics.begin('users', 'user-service');
  pending.bytesReceived += 1024;
  const cache = {
    hits: 3,
    misses: 1,
    stale: 0,
    revalidated: 0,
    coalesced: 0,
    bypassed: 2,
    bytes: 9,
    entries: 1,
    hitRatio: 0.75,
  };
  const families = metricFamilies({
    client,
    routes: metrics.read(),
    overload: new Overload().getSnapshot(),
    cache,
  });

  test('OpenMetrics', async () => {
    const text = await metricsText([families], metricsTypes.openMetrics);
    const lines = text.trimEnd().split('\n');
    const labels = 'route="users",service="user-service"';
    expect(lines.at(-1)).toBe('# EOF');
    for (const line of [
      '# TYPE mesh_gateway_requests counter',
      `mesh_gateway_requests_total{${labels},instance="u-1",status="2xx"} 2`,
      `mesh_gateway_requests_total{${labels},instance="u-2",status="5xx"} 1`,
      `mesh_gateway_requests_total{${labels},instance="u-2",status="aborted"} 1`,
      `mesh_gateway_requests_total{${labels},instance="",status="4xx"} 1`,
      `mesh_gateway_request_duration_seconds_bucket{${labels},le="0.0025"} 2`,
      `mesh_gateway_request_duration_seconds_bucket{${labels},le="0.005"} 3`,
      `mesh_gateway_request_duration_seconds_bucket{${labels},le="10"} 4`,
      `mesh_gateway_request_duration_seconds_bucket{${labels},le="+Inf"} 5`,
      `mesh_gateway_request_duration_seconds_count{${labels}} 5`,
      `mesh_gateway_requests_in_flight{${labels}} 1`,
      `mesh_gateway_upstream_bytes_total{${labels},direction="received"} 1024`,
      'mesh_gateway_retries_total 7',
      'mesh_gateway_circuits{service="user-service",instance="u-1",state="open"} 1',
      'mesh_gateway_ejections_total{service="user-service"} 2',
      'mesh_gateway_ejected{service="user-service",instance="u-1"} 1',
      'mesh_gateway_shed_total{priority="low"} 0',
      'mesh_gateway_cache_requests_total{result="hits"} 3',
    ]) {
      expect(lines).toContain(line);
    }
  });

  test('the older text has the same names', async () => {
    const text = await metricsText([families], metricsTypes.prometheus);
    expect(text).toContain('# TYPE mesh_gateway_requests_total counter');
    expect(text).toContain('mesh_gateway_retries_total 7');
    expect(text).not.toContain('# EOF');
  });

  test('those of several processes are one', async () => {
    const text = await metricsText([families, families], metricsTypes.openMetrics);
    expect(text).toContain('mesh_gateway_retries_total 14');
    expect(text).toContain('le="+Inf"} 10');
    expect(text).toContain('mesh_gateway_pressure 0');
  });
});

test.each([
  [
    'application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.3,*/*;q=0.1',
    'openMetrics',
  ],
  ['text/plain;version=0.0.4', 'prometheus'],
  ['text/plain; version=0.0.4', 'prometheus'],
  ['application/json, text/plain, */*', undefined],
  ['*/*', undefined],
  [undefined, undefined],
] as const)('Accept: %s', (accept, type) => {
  expect(metricsTypeFor(accept)).toBe(type && metricsTypes[type]);
});

describe('bounds', () => {
  test('names that callers choose become one series, and make room for those that are used', () => {
    const metrics = new RouteMetrics({ maxSeries: 3 });
    for (let index = 0; index < 1000; index++) metrics.begin('api', `made-up-${index}`).end(404, 1);
    const services = (): string[] => metrics.read().map(({ service }) => service);
    expect(services()).toEqual(['made-up-0', 'made-up-1', 'made-up-2', 'other']);
    expect(services()).toEqual(['other']);
    metrics.begin('api', 'user-service').end(200, 1);
    expect(services()).toEqual(['user-service', 'other']);
  });

  test('instances that have left become one, those that serve stay, and nothing is lost', () => {
    const metrics = new RouteMetrics({ maxInstances: 2 });
    const ask = (...ids: string[]): void => {
      for (const id of ids) metrics.begin('users', 'user-service').end(200, 1, id);
    };
    const counts = (): [string, number][] =>
      [...(metrics.read()[0]?.instances ?? [])].map(([id, { byClass }]) => [id, byClass[2] ?? 0]);
    ask('a', 'b', 'c');
    expect(counts()).toEqual([
      ['a', 1],
      ['b', 1],
      ['other', 1],
    ]);
    ask('b', 'c');
    expect(counts()).toEqual([
      ['b', 2],
      ['other', 3],
    ]);
  });

  test('a request under way keeps its series', () => {
    const metrics = new RouteMetrics({ maxSeries: 1 });
    const series = metrics.begin('users', 'user-service');
    for (let index = 0; index < 3; index++) metrics.read();
    series.end(200, 1, 'a');
    expect(metrics.read()).toEqual([series]);
  });
});

test('any mix of requests is counted once each, in the bucket of a naive model', () => {
  const request = fc.record({
    route: fc.constantFrom('a', 'b', 'c'),
    service: fc.constantFrom('s', 't', 'constructor'),
    instance: fc.constantFrom('', 'i', 'j', 'k', 'other'),
    status: fc.constantFrom(0, 101, 200, 299, 301, 404, 500, 599),
    ms: fc.oneof(fc.constantFrom(...bucketBoundsMs), fc.double({ min: 0, max: 20_000, noNaN: true })),
    reads: fc.boolean(),
  });
  fc.assert(
    fc.property(
      fc.array(request, { maxLength: 100 }),
      fc.nat(5),
      fc.nat(3),
      (requests, series, instances) => {
        const metrics = new RouteMetrics({ maxSeries: series + 1, maxInstances: instances + 1 });
        for (const { route, service, instance, status, ms, reads } of requests) {
          metrics.begin(route, service).end(status, ms, instance);
          if (reads) metrics.read();
        }
        const all = metrics.read();
        const sum = (numbers: Iterable<number>): number =>
          [...numbers].reduce((total, one) => total + one, 0);
        const buckets = bucketBoundsMs.map(
          (bound, index) =>
            requests.filter(({ ms }) => ms <= bound && ms > (bucketBoundsMs[index - 1] ?? -1)).length,
        );
        expect(bucketBoundsMs.map((_, index) => sum(all.map((one) => one.buckets[index] ?? 0)))).toEqual(
          buckets,
        );
        expect(
          sum(all.flatMap((one) => [...one.instances.values()].map(({ byClass }) => sum(byClass)))),
        ).toBe(requests.length);
        expect(all.every(({ inFlight }) => inFlight === 0)).toBe(true);
        // One more for each `other`.
        expect(all.length).toBeLessThanOrEqual(series + 2);
        expect(all.every((one) => one.instances.size <= instances + 2)).toBe(true);
      },
    ),
  );
});

test.each(['maxSeries', 'maxInstances'])('refuses a wrong %s by name', (option) => {
  expect(() => new RouteMetrics({ [option]: 0 })).toThrow(`routeMetrics: ${option} must be`);
});
