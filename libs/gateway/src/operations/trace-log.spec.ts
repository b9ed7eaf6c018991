import { expect, test } from '@jest/globals';
import { VirtualTime } from '@mesh/resilience/testing';
import { startTrace } from '@mesh/trace-context';
import fc from 'fast-check';
import type { Passage } from '../passage.ts';
import { Observation } from './observation.ts';
import { RouteMetrics } from './route-metrics.ts';
import { TraceLog, type TraceFilter } from './trace-log.ts';

interface Noted {
  readonly traceId: string;
  readonly service: string;
  readonly status: number;
  readonly durationMs: number;
}

function note(log: TraceLog, { traceId, service, status, durationMs }: Noted, path = '/x'): void {
  const entry = log.take();
  if (entry === undefined) return;
  Object.assign(entry, { trace: { ...startTrace(), traceId }, path, service, status, durationMs });
}

test('any log and any filter: the newest of a naive list', () => {
  const traceId = fc.constantFrom('a', 'b');
  const service = fc.constantFrom('users', 'orders');
  const status = fc.constantFrom(0, 200, 404, 503);
  const durationMs = fc.nat(5);
  const entry = fc.record({ traceId, service, status, durationMs });
  const filter = fc.record(
    { traceId, service, status: fc.constantFrom(200, 503, 4, 5), minDurationMs: fc.nat(5), limit: fc.nat(4) },
    { requiredKeys: [] },
  );
  fc.assert(
    fc.property(
      fc.nat(7),
      fc.array(entry, { maxLength: 20 }),
      filter,
      (capacity, noted, wanted: TraceFilter) => {
        const log = new TraceLog({ capacity });
        for (const one of noted) note(log, one);
        const expected = (capacity === 0 ? [] : noted.slice(-capacity))
          .reverse()
          .filter(
            (one) =>
              (wanted.traceId ?? one.traceId) === one.traceId &&
              (wanted.service ?? one.service) === one.service &&
              one.durationMs >= (wanted.minDurationMs ?? 0) &&
              [one.status, Math.floor(one.status / 100), undefined].includes(wanted.status),
          )
          .slice(0, wanted.limit);
        const told = log.read(wanted).map(({ traceId, service, status, durationMs }) => ({
          traceId,
          service,
          status,
          durationMs,
        }));
        expect(told).toEqual(expected);
      },
    ),
  );
});

test('a query is not told unless it is wanted, and a path has an end', () => {
  const told = (path: string, keepQuery: boolean): string | undefined => {
    const log = new TraceLog({ keepQuery, maxPathLength: 20 });
    note(log, { traceId: 'a', service: 's', status: 200, durationMs: 1 }, path);
    return log.read()[0]?.path;
  };
  expect(told('/users?email=a@b.example', false)).toBe('/users?...');
  expect(told('/users?page=2', true)).toBe('/users?page=2');
  expect(told(`/${'x'.repeat(100)}`, false)).toBe(`/${'x'.repeat(19)}...`);
});

test('an entry that is used again holds nothing of the exchange before', () => {
  const log = new TraceLog({ capacity: 1 });
  const first = log.take()!;
  Object.assign(first, { instance: 'i', code: 'ERR_TIMEOUT', cache: 'hit', headMs: 5, attempts: 3 });
  note(log, { traceId: 'b', service: 's', status: 200, durationMs: 1 });
  expect(log.read()).toMatchObject([
    {
      instance: null,
      code: null,
      cache: null,
      attempts: 0,
      phases: { stages: 0, wait: null, body: null },
    },
  ]);
});

test.each([
  ['capacity', { capacity: -1 }],
  ['capacity', { capacity: 10_001 }],
  ['maxPathLength', { maxPathLength: 0 }],
])('refuses a wrong %s by name', (option, options) => {
  expect(() => new TraceLog(options)).toThrow(`traceLog: ${option} must be`);
});

test('what is seen of a passage is counted and noted once, with its phases', async () => {
  const time = new VirtualTime();
  const [metrics, traces] = [new RouteMetrics(), new TraceLog()];
  const ends: (() => void)[] = [];
  const raw = { headersSent: false, statusCode: 200 };
  const trace = startTrace();
  const passage = {
    request: { method: 'GET', raw: { url: '/users/1?x=1' } },
    reply: { raw },
    routeId: 'users',
    service: 'user-service',
    trace,
    call: { instance: 'user-service-4001', attempts: 2 },
    onEnd: (listener: () => void) => ends.push(listener),
  } as unknown as Passage;
  const seen = new Observation(passage, { metrics, traces, clock: time });
  expect(metrics.read()[0]?.inFlight).toBe(1);
  await time.advance(2);
  seen.passed();
  await time.advance(30);
  seen.answered();
  Object.assign(raw, { headersSent: true, statusCode: 503 });
  Object.assign(seen, {
    bytesReceived: 10,
    code: 'ERR_UPSTREAM',
    cache: 'miss',
  });
  await time.advance(8);
  for (const end of ends) end();
  const [series] = metrics.read();
  expect([series?.inFlight, series?.totalMs, series?.bytesReceived]).toEqual([0, 40, 10]);
  expect([...series!.instances.get('user-service-4001')!.byClass]).toEqual([0, 0, 0, 0, 0, 1]);
  expect(traces.read()).toEqual([
    {
      traceId: trace.traceId,
      spanId: trace.spanId,
      requestId: trace.requestId,
      startedAt: new Date(performance.timeOrigin).toISOString(),
      method: 'GET',
      path: '/users/1?...',
      route: 'users',
      service: 'user-service',
      instance: 'user-service-4001',
      attempts: 2,
      status: 503,
      durationMs: 40,
      phases: { stages: 2, wait: 30, body: 8 },
      bytes: { sent: 0, received: 10 },
      code: 'ERR_UPSTREAM',
      cache: 'miss',
    },
  ]);
});

test('a client that left before its answer has status 0', () => {
  const traces = new TraceLog();
  const passage = {
    request: { method: 'GET', raw: { url: '/' } },
    reply: { raw: { headersSent: false, statusCode: 200 } },
    trace: startTrace(),
    onEnd: (listener: () => void) => {
      listener();
    },
  } as unknown as Passage;
  new Observation(passage, { traces });
  expect(traces.read({ status: 0 })).toHaveLength(1);
});
