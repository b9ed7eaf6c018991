import { afterEach, expect, test } from '@jest/globals';
import { HttpProblem, sendProblem } from '@mesh/problem';
import Fastify from 'fastify';
import { connect, type AddressInfo } from 'node:net';
import { answering, cleanUp, cleanups, eventually, meshClient, turn } from '../testing/raw-http.ts';
import { meshRoutes } from './mesh-routes.ts';
import { observeRoutes } from './own-exchange.ts';
import { RouteMetrics } from './route-metrics.ts';
import { TraceLog } from './trace-log.ts';

afterEach(cleanUp);

const traceparent = `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`;

/** An app with a scope that is observed and one that is not. */
async function world() {
  const [traces, metrics] = [new TraceLog(), new RouteMetrics()];
  const asked = Promise.withResolvers<undefined>();
  const app = Fastify({ forceCloseConnections: true });
  app.setErrorHandler(sendProblem);
  app.get('/other', () => 'other');
  await app.register((scope, _options, done) => {
    observeRoutes(scope, { traces, metrics });
    scope.get('/of/:id', () => ({ all: 'fine' }));
    scope.get('/fails', () => {
      throw new HttpProblem('ERR_UNAVAILABLE', 'Nobody is there.');
    });
    scope.get('/slow', () => {
      asked.resolve(undefined);
      return new Promise(() => undefined);
    });
    done();
  });
  const origin = await app.listen({ port: 0, host: '127.0.0.1' });
  cleanups.push(() => app.close());
  return { app, origin, traces, metrics, asked: asked.promise };
}

test('composed answers are noted under their route, with their trace, and nothing else of the app is', async () => {
  const { origin, traces, metrics } = await world();
  for (const path of ['/other', '/of/7?secret=1', '/fails'])
    await fetch(origin + path, { headers: { traceparent } });
  await eventually(() => traces.read().length === 2);
  expect(traces.read()).toMatchObject([
    { path: '/fails', route: '/fails', status: 503, code: 'ERR_UNAVAILABLE' },
    {
      traceId: 'a'.repeat(32),
      method: 'GET',
      path: '/of/7?...',
      route: '/of/:id',
      service: '',
      instance: null,
      status: 200,
      code: null,
      bytes: { received: '{"all":"fine"}'.length },
    },
  ]);
  expect(traces.read()[1]?.phases.wait).not.toBeNull();
  expect(metrics.read().map(({ route }) => route)).toEqual(['/of/:id', '/fails']);
});

test('a client that leaves before its answer has status 0', async () => {
  const { app, traces, asked } = await world();
  const socket = connect((app.server.address() as AddressInfo).port, '127.0.0.1');
  socket.write('GET /slow HTTP/1.1\r\nHost: a\r\n\r\n');
  await asked;
  socket.destroy();
  await eventually(() => traces.read().length === 1);
  expect(traces.read()).toMatchObject([{ route: '/slow', status: 0, phases: { wait: null } }]);
});

test('/invoke is noted with the service and the instance that it asked; who reads /traces and /metrics is not', async () => {
  const up = await answering('HTTP/1.1 201 Made\r\nContent-Length: 2\r\nContent-Type: text/plain\r\n\r\nok');
  const traces = new TraceLog();
  const app = Fastify({ forceCloseConnections: true });
  await app.register(meshRoutes, { client: meshClient({ pay: up.port }), traces });
  const origin = await app.listen({ port: 0, host: '127.0.0.1' });
  cleanups.push(() => app.close());
  const invoke = (serviceName: string) =>
    fetch(`${origin}/invoke`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ serviceName, endpoint: '/x' }),
    });
  expect((await invoke('pay')).status).toBe(201);
  await invoke('nobody');
  await fetch(`${origin}/metrics`);
  await eventually(() => traces.read().length === 2);
  const answer = (await (await fetch(`${origin}/traces`)).json()) as { traces: { traceId: string }[] };
  await turn();
  expect(answer.traces).toMatchObject([
    { route: '/invoke', service: 'nobody', instance: null, status: 404, code: 'ERR_SERVICE_UNKNOWN' },
    { route: '/invoke', service: 'pay', instance: 'pay-1', attempts: 1, status: 201 },
  ]);
  // The instance was called under the trace that is told.
  expect(up.received()).toContain(String(answer.traces[1]?.traceId));
  expect(traces.read()).toHaveLength(2);
});
