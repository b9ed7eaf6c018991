import { afterEach, describe, expect, test } from '@jest/globals';
import { createServiceClient, type ServiceClient } from '@mesh/service-client';
import Fastify, {
  type FastifyInstance,
  type InjectOptions,
  type LightMyRequestResponse as Response,
} from 'fastify';
import type { AddressInfo } from 'node:net';
import { meshRoutes, type MeshRoutesOptions } from './mesh-routes.ts';
import { Upstream } from '../compose/upstream.ts';

const cleanups: (() => unknown)[] = [];

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

interface Seen {
  readonly method: string;
  readonly url: string;
  readonly headers: Record<string, string | string[] | undefined>;
  readonly body: string;
}

/** A service that shows what it was asked, at `/status/<n>` with that status, at `/text` as text. */
async function service(): Promise<{ port: number; seen: Seen[] }> {
  const app = Fastify({ forceCloseConnections: true });
  const seen: Seen[] = [];
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', { parseAs: 'string' }, (_request, body, done) => {
    done(null, body);
  });
  app.all('/*', (request, reply) => {
    const { method, url, headers, body } = request;
    seen.push({ method, url, headers, body: typeof body === 'string' ? body : '' });
    const status = /^\/status\/(\d+)/.exec(url)?.[1];
    if (status !== undefined) {
      return reply
        .code(Number(status))
        .header('retry-after', '9')
        .send(Number(status) === 204 ? undefined : { status });
    }
    if (url === '/second-time') return reply.code(seen.length === 1 ? 503 : 200).send({});
    if (url === '/text') return reply.type('text/plain').send('plain');
    if (url === '/null') return reply.type('application/json').send('null');
    if (url === '/broken') return reply.type('application/json').send('{"a":');
    if (url === '/problem') return reply.type('application/problem+json; charset=utf-8').send('{"code":"E"}');
    if (url === '/silent') return reply.hijack();
    return reply.send({ method, url });
  });
  await app.listen({ port: 0, host: '127.0.0.1' });
  cleanups.push(() => app.close());
  return { port: (app.server.address() as AddressInfo).port, seen };
}

function clientOf(ports: Record<string, number>): ServiceClient {
  const discovery = {
    peek: (name: string) => ({
      instances: Object.hasOwn(ports, name)
        ? [{ id: `${name}-1`, host: '127.0.0.1', port: ports[name]! }]
        : [],
    }),
    resolve: (name: string) => Promise.resolve(discovery.peek(name)),
  };
  const client = createServiceClient({ discovery, retry: { maxRetries: 1, baseDelayMs: 1 } });
  cleanups.push(() => client.close(0));
  return client;
}

async function mesh(
  client: ServiceClient,
  options: Partial<MeshRoutesOptions> = {},
): Promise<FastifyInstance> {
  const app = Fastify();
  cleanups.push(() => app.close());
  await app.register(meshRoutes, { client, ...options });
  return app;
}

const invoking = (payload: unknown, more: InjectOptions = {}): InjectOptions => ({
  method: 'POST',
  url: '/invoke',
  headers: { host: 'localhost:3000', 'content-type': 'application/json' },
  payload: typeof payload === 'string' ? payload : JSON.stringify(payload),
  ...more,
});

describe('POST /invoke', () => {
  test('the call of seed 002 as it is written', async () => {
    const { port, seen } = await service();
    const app = await mesh(clientOf({ 'user-service': port }));
    const answer = await app.inject(
      invoking({ serviceName: 'user-service', endpoint: '/api/users/123', method: 'GET' }),
    );
    expect(answer.statusCode).toBe(200);
    expect(answer.json()).toEqual({
      service: 'user-service',
      instance: 'user-service-1',
      status: 200,
      attempts: 1,
      durationMs: expect.any(Number) as unknown,
      body: { method: 'GET', url: '/api/users/123' },
    });
    expect(seen).toHaveLength(1);
  });

  test.each([
    ['JSON as text', JSON.stringify({ amount: 100 }), '{"amount":100}', 'application/json'],
    ['an object', { amount: 100 }, '{"amount":100}', 'application/json'],
    ['an array', [1, null], '[1,null]', 'application/json'],
    ['a number', 0, '0', 'application/json'],
    ['false', false, 'false', 'application/json'],
    ['null', null, 'null', 'application/json'],
    ['other text', 'hello', 'hello', 'text/plain; charset=utf-8'],
  ])('%s as the body', async (_what, body, sent, type) => {
    const { port, seen } = await service();
    const app = await mesh(clientOf({ pay: port }));
    const answer = await app.inject(
      invoking({ serviceName: 'pay', endpoint: '/api/process-payment', method: 'POST', body }),
    );
    expect(answer.statusCode).toBe(200);
    expect(seen[0]).toMatchObject({ method: 'POST', body: sent, headers: { 'content-type': type } });
  });

  test('headers go along, an own content type too, and the trace goes on', async () => {
    const { port, seen } = await service();
    const app = await mesh(clientOf({ pay: port }));
    const headers = { 'Content-Type': 'text/csv', Authorization: 'Bearer x', 'X-Any': 'K\u00f6ln' };
    const traceId = 'a'.repeat(32);
    const request = invoking({ serviceName: 'pay', endpoint: '/x?y=1', method: 'PUT', headers, body: 'a;b' });
    await app.inject({
      ...request,
      headers: { ...request.headers, 'x-trace-id': traceId, 'x-request-id': 'r1' },
    });
    expect(seen[0]?.headers).toMatchObject({
      'content-type': 'text/csv',
      authorization: 'Bearer x',
      'x-any': 'K\u00f6ln',
      'x-trace-id': traceId,
      'x-request-id': 'r1',
    });
    expect(seen[0]?.url).toBe('/x?y=1');
  });

  test.each([
    ['/status/404', 404, 404, { status: '404' }],
    ['/status/500', 500, 500, { status: '500' }],
    ['/status/204', 200, 204, ''],
    ['/text', 200, 200, 'plain'],
    ['/null', 200, 200, null],
    ['/broken', 200, 200, '{"a":'],
    ['/problem', 200, 200, { code: 'E' }],
  ])('%s is mirrored', async (endpoint, statusCode, status, body) => {
    const { port } = await service();
    const app = await mesh(clientOf({ pay: port }));
    const answer = await app.inject(invoking({ serviceName: 'pay', endpoint, method: 'POST' }));
    expect(answer.statusCode).toBe(statusCode);
    expect(answer.json()).toMatchObject({ status, body });
    if (endpoint.startsWith('/status')) expect(answer.headers['retry-after']).toBe('9');
  });

  test('a call that was tried again says so', async () => {
    const { port, seen } = await service();
    const app = await mesh(clientOf({ pay: port }));
    const answer = await app.inject(invoking({ serviceName: 'pay', endpoint: '/second-time' }));
    expect(answer.statusCode).toBe(200);
    expect(answer.json()).toMatchObject({ attempts: 2, status: 200 });
    expect(seen).toHaveLength(2);
  });

  test('an unknown service is 404, one that is away is 503, one that cannot be reached is 503', async () => {
    const { port } = await service();
    const ports: Record<string, number> = { pay: port };
    const app = await mesh(clientOf(ports));
    const call = (serviceName: string): Promise<Response> =>
      app.inject(invoking({ serviceName, endpoint: '/x' }));
    expect((await call('none')).json()).toMatchObject({ status: 404, code: 'ERR_SERVICE_UNKNOWN' });
    expect((await call('constructor')).json()).toMatchObject({ status: 404, code: 'ERR_SERVICE_UNKNOWN' });
    expect((await call('pay')).statusCode).toBe(200);
    delete ports['pay'];
    const away = await call('pay');
    expect(away.json()).toMatchObject({ status: 503, code: 'ERR_NO_INSTANCE' });
    expect(away.headers['content-type']).toMatch(/^application\/problem\+json/);
    expect(away.headers['retry-after']).toBe('1');
    const closed = Fastify();
    await closed.listen({ port: 0, host: '127.0.0.1' });
    ports['pay'] = (closed.server.address() as AddressInfo).port;
    await closed.close();
    expect((await call('pay')).json()).toMatchObject({ status: 503, code: 'ERR_UNAVAILABLE' });
  });

  test('a caller that leaves takes its call with it', async () => {
    const { port, seen } = await service();
    const client = clientOf({ pay: port });
    const app = await mesh(client);
    await app.listen({ port: 0, host: '127.0.0.1' });
    const controller = new AbortController();
    const left = fetch(`http://127.0.0.1:${(app.server.address() as AddressInfo).port}/invoke`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ serviceName: 'pay', endpoint: '/silent' }),
      signal: controller.signal,
    });
    while (seen.length === 0) await new Promise((resolve) => setImmediate(resolve));
    controller.abort();
    await expect(left).rejects.toThrow();
    while (client.getSnapshot().totals.aborted === 0) await new Promise((resolve) => setImmediate(resolve));
    expect(client.getSnapshot().services['pay']?.instances[0]).toMatchObject({
      failureCount: 0,
      inflight: 0,
    });
  });

  const good = { serviceName: 'pay', endpoint: '/x' };
  test.each<[string, unknown]>([
    ['no object', []],
    ['null', 'null'],
    ['broken JSON', '{"serviceName":'],
    ['nothing', '{}'],
    ['an unknown field', { ...good, extra: 1 }],
    ['a prototype key', '{"serviceName":"pay","endpoint":"/x","__proto__":{"a":1}}'],
    ['a constructor key', '{"serviceName":"pay","endpoint":"/x","constructor":{"prototype":{"a":1}}}'],
    ['a name that is a number', { ...good, serviceName: 7 }],
    ['an empty name', { ...good, serviceName: '' }],
    ['localhost', { ...good, serviceName: 'localhost' }],
    ['an address', { ...good, serviceName: '127.0.0.1' }],
    ['an address as a number', { ...good, serviceName: '2130706433' }],
    ['a host with a port', { ...good, serviceName: 'pay:80' }],
    ['a name with a path', { ...good, serviceName: 'pay/x' }],
    ['a long name', { ...good, serviceName: 'a'.repeat(64) }],
    ['no endpoint', { serviceName: 'pay' }],
    ['an endpoint without a slash', { ...good, endpoint: 'x' }],
    ['another origin', { ...good, endpoint: 'http://other/x' }],
    ['two slashes', { ...good, endpoint: '//other/x' }],
    ['dots', { ...good, endpoint: '/a/../b' }],
    ['escaped dots', { ...good, endpoint: '/a/%2e%2e/b' }],
    ['a line break', { ...good, endpoint: '/x HTTP/1.1\r\nX: y' }],
    ['a fragment', { ...good, endpoint: '/x#y' }],
    ['letters that are not bytes', { ...good, endpoint: '/\u20ac' }],
    ['a long endpoint', { ...good, endpoint: `/${'x'.repeat(8192)}` }],
    ['a method that is none', { ...good, method: 'get' }],
    ['CONNECT', { ...good, method: 'CONNECT' }],
    ['GET with a body', { ...good, body: {} }],
    ['HEAD with a body', { ...good, method: 'HEAD', body: '' }],
    ['headers that are a list', { ...good, headers: ['a'] }],
    ['a header that is a number', { ...good, headers: { a: 1 } }],
    ['a header with a line break', { ...good, headers: { a: 'x\r\nb: y' } }],
    ['a header that is no byte', { ...good, headers: { a: '\u20ac' } }],
    ['a name with a blank', { ...good, headers: { 'a b': 'x' } }],
    ['a name with a line break', { ...good, headers: { 'a\r\nb': 'x' } }],
    ['Host', { ...good, headers: { Host: 'x' } }],
    ['Connection', { ...good, headers: { connection: 'close' } }],
    ['Transfer-Encoding', { ...good, headers: { 'Transfer-Encoding': 'chunked' } }],
    ['Content-Length', { ...good, headers: { 'content-length': '5' } }],
    ['Upgrade', { ...good, headers: { upgrade: 'h2c' } }],
    ['TE', { ...good, headers: { te: 'trailers' } }],
    ['Expect', { ...good, headers: { Expect: '100-continue' } }],
    ['X-Forwarded-For', { ...good, headers: { 'X-Forwarded-For': '1.1.1.1' } }],
    ['X_Forwarded_For', { ...good, headers: { X_Forwarded_For: '1.1.1.1' } }],
    ['Forwarded', { ...good, headers: { forwarded: 'for=1' } }],
    ['X-Instance', { ...good, headers: { 'x-instance': 'a' } }],
    ['traceparent', { ...good, headers: { traceparent: 'x' } }],
    [
      '101 headers',
      { ...good, headers: Object.fromEntries(Array.from({ length: 101 }, (_, at) => [`x${at}`, ''])) },
    ],
  ])('%s is refused', async (_what, payload) => {
    const { port, seen } = await service();
    const app = await mesh(clientOf({ pay: port, localhost: port }));
    const answer = await app.inject(invoking(payload));
    expect(answer.statusCode).toBe(400);
    expect(answer.headers['content-type']).toMatch(/^application\/problem\+json/);
    expect(answer.json()).toMatchObject({ status: 400, instance: '/invoke' });
    expect(seen).toHaveLength(0);
    expect((await app.inject(invoking({ ...good }))).statusCode).toBe(200);
  });

  test('other types and too much are refused with problems', async () => {
    const app = await mesh(clientOf({}));
    const text = await app.inject(
      invoking('x', { headers: { host: 'localhost', 'content-type': 'text/html' } }),
    );
    expect(text.json()).toMatchObject({ status: 415, code: 'ERR_MEDIA_TYPE' });
    const large = await app.inject(invoking({ ...good, method: 'POST', body: 'x'.repeat(2 ** 20) }));
    expect(large.json()).toMatchObject({ status: 413, code: 'ERR_BODY_TOO_LARGE' });
  });

  test('the guard decides who may call', async () => {
    const { port, seen } = await service();
    const open = await mesh(clientOf({ pay: port }));
    const rebound = invoking(good, { headers: { host: 'evil.example', 'content-type': 'application/json' } });
    expect((await open.inject(rebound)).json()).toMatchObject({ status: 403, code: 'ERR_FORBIDDEN' });
    const page = { host: 'localhost', origin: 'https://evil.example', 'content-type': 'application/json' };
    expect((await open.inject(invoking(good, { headers: page }))).statusCode).toBe(403);

    const closed = await mesh(clientOf({ pay: port }), { guard: { token: 'secret' } });
    expect((await closed.inject(invoking(good))).json()).toMatchObject({
      status: 401,
      code: 'ERR_UNAUTHORIZED',
    });
    expect(seen).toHaveLength(0);
    const known = { host: 'localhost', authorization: 'Bearer secret', 'content-type': 'application/json' };
    expect((await closed.inject(invoking(good, { headers: known }))).statusCode).toBe(200);
    expect(seen[0]?.headers).not.toHaveProperty('authorization');
  });
});

describe('GET /metrics', () => {
  test('before the first request', async () => {
    const app = await mesh(clientOf({}));
    const answer = await app.inject('/metrics');
    expect(answer.json()).toEqual({
      totalRequests: 0,
      successfulRequests: 0,
      failedRequests: 0,
      successRate: '100.00%',
      averageLatency: '0ms',
      circuitBreakers: {},
      serviceHealth: {},
    });
    expect(answer.headers['cache-control']).toBe('no-store');
  });

  test('counts calls, and shows the circuits of services and instances', async () => {
    const { port } = await service();
    const client = clientOf({ pay: port, other: port });
    const upstream = new Upstream({ service: 'other' });
    const app = await mesh(client, { upstreams: [upstream] });
    const call = (serviceName: string, endpoint: string): Promise<unknown> =>
      app.inject(invoking({ serviceName, endpoint, method: 'POST' }));
    await call('pay', '/x');
    for (let failure = 0; failure < 3; failure++) await call('pay', '/status/500');
    await call('other', '/status/404');
    await upstream.read('k', () => Promise.reject(new Error('no')), 0);
    const answer = await app.inject('/metrics');
    expect(answer.json()).toEqual({
      totalRequests: 5,
      successfulRequests: 2,
      failedRequests: 3,
      successRate: '40.00%',
      averageLatency: expect.stringMatching(/^\d+ms$/) as unknown,
      circuitBreakers: {
        pay: { status: 'OPEN', failureCount: 3, successCount: 0 },
        other: { status: 'CLOSED', failureCount: 1, successCount: 0 },
      },
      serviceHealth: { 'pay:pay-1': false, 'other:other-1': true },
    });
  });
});
