import { afterEach, describe, expect, test } from '@jest/globals';
import Fastify, { type FastifyInstance, type LightMyRequestResponse as Response } from 'fastify';
import { meshRoutes, type MeshRoutesOptions } from './mesh-routes.ts';
import { Overload } from './overload.ts';
import { RouteMetrics } from './route-metrics.ts';
import { alone, type Siblings } from './siblings.ts';
import { TraceLog } from './trace-log.ts';

const apps: FastifyInstance[] = [];

afterEach(async () => {
  for (const app of apps.splice(0)) await app.close();
});

/** A client that has called nobody. */
const client = {
  request: () => Promise.reject(new Error('nobody is called here')),
  getSnapshot: () => ({
    totals: { requests: 0, succeeded: 0, failed: 0, aborted: 0, retries: 0, latencyMsTotal: 0 },
    services: {},
  }),
};

async function mesh(options: Partial<MeshRoutesOptions> = {}): Promise<FastifyInstance> {
  const app = Fastify();
  apps.push(app);
  await app.register(meshRoutes, { client, ...options });
  return app;
}

describe('GET /traces', () => {
  async function traced(options: Partial<MeshRoutesOptions> = {}): Promise<FastifyInstance> {
    const traces = new TraceLog();
    for (const [service, status, durationMs] of [
      ['user-service', 200, 5],
      ['order-service', 503, 900],
      ['user-service', 404, 20],
    ] as const) {
      Object.assign(traces.take()!, { service, status, durationMs, path: '/x?secret=1' });
    }
    return mesh({ traces, ...options });
  }
  const statuses = (answer: Response): number[] =>
    answer.json<{ traces: { status: number }[] }>().traces.map(({ status }) => status);
  const headers = { host: 'localhost:8000' };

  test.each([
    ['', [404, 503, 200]],
    ['?service=user-service', [404, 200]],
    ['?status=503', [503]],
    ['?status=4xx', [404]],
    ['?minDurationMs=20', [404, 503]],
    ['?limit=1', [404]],
    [`?traceId=${'a'.repeat(32)}`, []],
  ])('%s', async (search, expected) => {
    const answer = await (await traced()).inject({ url: `/traces${search}`, headers });
    expect(statuses(answer)).toEqual(expected);
    expect(answer.headers['cache-control']).toBe('no-store');
    expect(answer.body).not.toContain('secret');
  });

  test.each(['?status=6xx', '?status=20', '?traceId=x', '?limit=0', '?minDurationMs=-1', '?other=1'])(
    '%s is refused',
    async (search) => {
      const answer = await (await traced()).inject({ url: `/traces${search}`, headers });
      expect(answer.json()).toMatchObject({ status: 400, code: 'ERR_VALIDATION' });
    },
  );

  test('is guarded as /invoke is: another host, another page, a missing token', async () => {
    const app = await traced();
    expect((await app.inject({ url: '/traces', headers: { host: 'evil.example' } })).statusCode).toBe(403);
    const origin = 'https://evil.example';
    expect((await app.inject({ url: '/traces', headers: { ...headers, origin } })).statusCode).toBe(403);
    const secured = await traced({ guard: { token: 'a-token-of-16-chars' } });
    expect((await secured.inject({ url: '/traces', headers })).statusCode).toBe(401);
    const authorization = 'Bearer a-token-of-16-chars';
    expect(
      (await secured.inject({ url: '/traces', headers: { ...headers, authorization } })).statusCode,
    ).toBe(200);
  });

  test('there is no such route without a log', async () => {
    expect((await (await mesh()).inject({ url: '/traces', headers })).statusCode).toBe(404);
  });
});

describe('several processes', () => {
  test('their requests are added up, their exchanges put in one order', async () => {
    const own: Siblings = alone();
    const other = {
      totals: { requests: 4, succeeded: 3, failed: 1, aborted: 0, retries: 2, latencyMsTotal: 40 },
      services: {},
    };
    const siblings: Siblings = {
      answer: (topic, answer) => {
        own.answer(topic, answer);
      },
      gather: async (topic, question) => [
        ...(await own.gather(topic, question)),
        topic === 'gateway.metrics'
          ? { client: other, families: [] }
          : [
              { startedAt: '2020-01-01T00:00:00.000Z', status: 1 },
              { startedAt: '2999-01-01T00:00:00.000Z', status: 2 },
            ],
      ],
    };
    const traces = new TraceLog();
    Object.assign(traces.take()!, { beganAt: performance.now(), status: 200 });
    const app = await mesh({ siblings, traces });
    expect((await app.inject('/metrics')).json()).toMatchObject({
      totalRequests: 4,
      successRate: '75.00%',
      averageLatency: '10ms',
    });
    const told = await app.inject({ url: '/traces?limit=2', headers: { host: 'localhost' } });
    expect(told.json<{ traces: { status: number }[] }>().traces.map(({ status }) => status)).toEqual([
      2, 200,
    ]);
  });
});

describe('GET /metrics as text', () => {
  test('for whom it is meant', async () => {
    const metrics = new RouteMetrics();
    metrics.begin('users', 'user-service').end(200, 3, 'u-1');
    const app = await mesh({ metrics, overload: new Overload() });
    const scrape = await app.inject({
      url: '/metrics',
      headers: { accept: 'application/openmetrics-text;version=1.0.0' },
    });
    expect(scrape.headers['content-type']).toBe('application/openmetrics-text; version=1.0.0; charset=utf-8');
    expect(scrape.headers['vary']).toBe('accept');
    expect(scrape.body).toContain(
      'mesh_gateway_requests_total{route="users",service="user-service",instance="u-1",status="2xx"} 1',
    );
    expect((await app.inject('/metrics')).json()).toMatchObject({ totalRequests: 0, successRate: '100.00%' });
  });
});
