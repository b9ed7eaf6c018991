import { afterEach, describe, expect, test } from '@jest/globals';
import { connect } from 'node:net';
import type { AddressInfo } from 'node:net';
import { z } from 'zod';
import type { InjectOptions } from 'fastify';
import { createApp } from './app.ts';
import type { App, AppOptions } from './app.ts';
import { readConfig, serviceSettings } from './config.ts';
import { identityOf } from './identity.ts';

const identity = identityOf('note-service', 4000);
const schema = z.object(serviceSettings);
const started: App[] = [];

function noteApp(options: Partial<AppOptions> = {}, env: Record<string, string> = {}): App {
  const config = readConfig(schema, { LOG_LEVEL: 'silent', BODY_LIMIT: '1000', ...env });
  const app = createApp({ identity, config, ...options });
  void app.register((scope: App, _options, done) => {
    scope.get('/notes/:id', { schema: { params: z.object({ id: z.coerce.number() }) } }, (request) => ({
      id: request.params.id,
      trace: request.trace,
    }));
    scope.post(
      '/notes',
      { schema: { body: z.strictObject({ text: z.string() }) } },
      (request) => request.body,
    );
    scope.get('/boom', () => {
      throw new Error('the password is hunter2');
    });
    done();
  });
  started.push(app);
  return app;
}

afterEach(async () => {
  await Promise.all(started.splice(0).map((app) => app.close()));
});

describe('a bad request gets problem JSON, and the service goes on', () => {
  const json = { 'content-type': 'application/json' };
  const deep = '{"text":'.repeat(200) + '1' + '}'.repeat(200);
  const cases: [
    string,
    { method: string; url: string; headers?: object; payload?: string },
    number,
    string,
  ][] = [
    [
      'bad JSON',
      { method: 'POST', url: '/notes', headers: json, payload: '{"text":' },
      400,
      'ERR_BAD_REQUEST',
    ],
    ['no body', { method: 'POST', url: '/notes', headers: json, payload: '' }, 400, 'ERR_BAD_REQUEST'],
    [
      'a wrong type',
      { method: 'POST', url: '/notes', headers: json, payload: '{"text":1}' },
      400,
      'ERR_VALIDATION',
    ],
    [
      'no coercion of bodies',
      { method: 'POST', url: '/notes', headers: json, payload: '{"text":["a"]}' },
      400,
      'ERR_VALIDATION',
    ],
    [
      'an unknown field',
      { method: 'POST', url: '/notes', headers: json, payload: '{"text":"a","admin":true}' },
      400,
      'ERR_VALIDATION',
    ],
    [
      'a prototype key',
      { method: 'POST', url: '/notes', headers: json, payload: '{"text":"a","__proto__":{"admin":true}}' },
      400,
      'ERR_BAD_REQUEST',
    ],
    [
      'a constructor key',
      {
        method: 'POST',
        url: '/notes',
        headers: json,
        payload: '{"text":"a","constructor":{"prototype":{}}}',
      },
      400,
      'ERR_BAD_REQUEST',
    ],
    [
      'a body too deep',
      { method: 'POST', url: '/notes', headers: json, payload: deep },
      413,
      'ERR_BODY_TOO_LARGE',
    ],
    [
      'an oversized body',
      { method: 'POST', url: '/notes', headers: json, payload: JSON.stringify({ text: 'x'.repeat(2000) }) },
      413,
      'ERR_BODY_TOO_LARGE',
    ],
    [
      'a wrong content type',
      { method: 'POST', url: '/notes', headers: { 'content-type': 'application/xml' }, payload: '<a/>' },
      415,
      'ERR_MEDIA_TYPE',
    ],
    ['an unknown path', { method: 'GET', url: '/nothing' }, 404, 'ERR_NOT_FOUND'],
    ['a prototype path', { method: 'GET', url: '/__proto__' }, 404, 'ERR_NOT_FOUND'],
    ['a malformed path', { method: 'GET', url: '/notes/%zz' }, 400, 'ERR_BAD_REQUEST'],
    ['a parameter of a wrong type', { method: 'GET', url: '/notes/abc' }, 400, 'ERR_VALIDATION'],
    ['a very long parameter', { method: 'GET', url: `/notes/${'1'.repeat(500)}` }, 414, 'ERR_URI_TOO_LONG'],
    ['a wrong method', { method: 'DELETE', url: '/notes' }, 405, 'ERR_METHOD_NOT_ALLOWED'],
    ['a method of WebDAV', { method: 'PROPFIND', url: '/notes' }, 405, 'ERR_METHOD_NOT_ALLOWED'],
    [
      'a wrong method with a body of no known type',
      { method: 'PUT', url: '/notes/1?x=1', headers: { 'content-type': 'text/csv' }, payload: 'a,b' },
      405,
      'ERR_METHOD_NOT_ALLOWED',
    ],
  ];
  test.each(cases)('%s', async (_name, request, status, code) => {
    const app = noteApp();
    const response = await app.inject(request as InjectOptions);
    expect({ status: response.statusCode, ...response.json<{ code: string }>() }).toMatchObject({
      status,
      code,
    });
    expect(response.headers['content-type']).toMatch(/^application\/problem\+json/);
    expect(response.headers['x-instance']).toBe('note-service-4000');
    expect((await app.inject('/notes/1')).statusCode).toBe(200);
  });

  test('405 names the methods that the path has', async () => {
    const app = noteApp();
    expect((await app.inject({ method: 'DELETE', url: '/notes/7' })).headers.allow).toBe('GET, HEAD');
    expect((await app.inject({ method: 'GET', url: '/notes' })).headers.allow).toBe('POST');
  });

  test('an unexpected error keeps its message to itself', async () => {
    const lines: string[] = [];
    const app = noteApp({ logTo: { write: (line) => lines.push(line) } }, { LOG_LEVEL: 'info' });
    const response = await app.inject('/boom');
    expect(response.statusCode).toBe(500);
    expect(response.body).not.toContain('hunter2');
    expect(lines.join('')).toContain('hunter2');
  });

  test('a client that leaves in the middle of its body is no error of the service', async () => {
    const lines: string[] = [];
    const app = noteApp({ logTo: { write: (line) => lines.push(line) } }, { LOG_LEVEL: 'warn' });
    await app.listen({ port: 0, host: '127.0.0.1' });
    const socket = connect((app.server.address() as AddressInfo).port, '127.0.0.1');
    const over = new Promise((resolve) => {
      app.server.once('request', (request) => {
        request.once('close', resolve);
        socket.destroy();
      });
    });
    socket.write(
      'POST /notes HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{',
    );
    await over;
    await new Promise(setImmediate);
    expect(lines).toEqual([]);
  });

  test('bytes that are no HTTP are answered as a problem, too', async () => {
    const app = noteApp();
    await app.listen({ port: 0, host: '127.0.0.1' });
    const { port } = app.server.address() as AddressInfo;
    const answer = await new Promise<string>((resolve, reject) => {
      let text = '';
      const socket = connect(port, '127.0.0.1', () => socket.write('nonsense\r\n\r\n'));
      socket.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
      socket.on('close', () => {
        resolve(text);
      });
      socket.on('error', reject);
    });
    expect(answer).toMatch(/^HTTP\/1\.1 400 Bad Request\r\nContent-Type: application\/problem\+json/);
    expect(answer).toContain('ERR_BAD_REQUEST');
  });
});

describe('traces', () => {
  const traceId = '4bf92f3577b34da6a3ce929d0e0e4736';

  test('continue the caller and are echoed', async () => {
    const response = await noteApp().inject({
      url: '/notes/1',
      headers: { traceparent: `00-${traceId}-00f067aa0ba902b7-01`, 'x-request-id': 'order-17' },
    });
    const { trace } = response.json<{ trace: Record<string, string> }>();
    expect(trace).toMatchObject({ traceId, parentSpanId: '00f067aa0ba902b7', requestId: 'order-17' });
    expect(trace.spanId).not.toBe('00f067aa0ba902b7');
    expect(response.headers).toMatchObject({ 'x-trace-id': traceId, 'x-request-id': 'order-17' });
  });

  test('begin here when nobody sent one, anew for each request', async () => {
    const app = noteApp();
    const [one, two] = [await app.inject('/notes/1'), await app.inject('/notes/1')];
    expect(one.headers['x-trace-id']).toMatch(/^[0-9a-f]{32}$/);
    expect(one.headers['x-trace-id']).toBe(one.json<{ trace: { traceId: string } }>().trace.traceId);
    expect(one.headers['x-trace-id']).not.toBe(two.headers['x-trace-id']);
  });

  test('are in every line of the log, and a request is one line', async () => {
    const lines: string[] = [];
    const app = noteApp({ logTo: { write: (line) => lines.push(line) } }, { LOG_LEVEL: 'info' });
    await app.inject({ url: '/notes/1', headers: { traceparent: `00-${traceId}-00f067aa0ba902b7-01` } });
    expect(lines.map((line) => JSON.parse(line) as object)).toEqual([
      expect.objectContaining({
        traceId,
        service: 'note-service',
        url: '/notes/1',
        status: 200,
        msg: 'request',
      }),
    ]);
  });
});

describe('GET /health', () => {
  test('tells the state of the service and of what it needs', async () => {
    const app = noteApp({
      checks: { database: () => 1 },
      health: (report) => ({ ...report, port: 4000 }),
    });
    const response = await app.inject('/health');
    expect(response.statusCode).toBe(200);
    expect(response.headers['cache-control']).toBe('no-store');
    expect(response.json()).toEqual({
      status: 'healthy',
      service: 'note-service',
      instance: 'note-service-4000',
      port: 4000,
      timestamp: expect.stringMatching(/^\d{4}-.*Z$/),
      uptime: expect.any(Number),
      checks: { database: { status: 'healthy', durationMs: expect.any(Number) } },
    });
  });

  test('503 when something critical is sick, 200 when the service can do without it', async () => {
    const sick = () => Promise.reject(new Error('no connection'));
    const unhealthy = await noteApp({ checks: { database: sick, mail: () => 1 } }).inject('/health');
    expect(unhealthy.statusCode).toBe(503);
    expect(unhealthy.json()).toMatchObject({
      status: 'unhealthy',
      checks: { database: { status: 'unhealthy', error: 'no connection' }, mail: { status: 'healthy' } },
    });
    const degraded = await noteApp({ checks: { mail: { run: sick, critical: false } } }).inject('/health');
    expect(degraded.statusCode).toBe(200);
    expect(degraded.json()).toMatchObject({ status: 'degraded' });
  });

  test('503 while leaving', async () => {
    const app = noteApp();
    await app.ready();
    app.health.leave();
    const response = await app.inject('/health');
    expect(response.statusCode).toBe(503);
    expect(response.json()).toMatchObject({ status: 'leaving' });
  });

  test('writes no line for a probe, and one for a change', async () => {
    const lines: string[] = [];
    let sick = false;
    const logTo = { write: (line: string) => lines.push(line) };
    const app = noteApp(
      { logTo, checks: { database: () => (sick ? Promise.reject(new Error('gone')) : 1) } },
      { LOG_LEVEL: 'info' },
    );
    await app.inject('/health');
    await app.inject('/health');
    expect(lines).toEqual([]);
    sick = true;
    app.health.leave();
    await app.inject('/health');
    expect(lines).toHaveLength(1);
    expect(lines[0]).toContain('health changed');
  });
});

describe('browsers', () => {
  test('any page may read and post, without credentials', async () => {
    const app = noteApp();
    const read = await app.inject({ url: '/notes/1', headers: { origin: 'https://any.example' } });
    expect(read.headers['access-control-allow-origin']).toBe('*');
    expect(read.headers['access-control-allow-credentials']).toBeUndefined();
    expect(read.headers['access-control-expose-headers']).toContain('x-instance');
    const preflight = await app.inject({
      method: 'OPTIONS',
      url: '/notes/1',
      headers: { origin: 'https://any.example', 'access-control-request-method': 'DELETE' },
    });
    expect(preflight.statusCode).toBe(204);
    expect(preflight.headers['access-control-allow-methods']).toBe('GET, HEAD, POST');
  });

  test('named origins may use every method, others nothing; none turns it off', async () => {
    const app = noteApp({}, { CORS_ORIGIN: 'https://shop.example' });
    const shop = await app.inject({
      method: 'OPTIONS',
      url: '/notes/1',
      headers: { origin: 'https://shop.example', 'access-control-request-method': 'DELETE' },
    });
    expect(shop.headers['access-control-allow-origin']).toBe('https://shop.example');
    expect(shop.headers['access-control-allow-methods']).toContain('DELETE');
    const other = await app.inject({ url: '/notes/1', headers: { origin: 'https://other.example' } });
    expect(other.headers['access-control-allow-origin']).toBeUndefined();
    const off = await noteApp({}, { CORS_ORIGIN: 'none' }).inject({
      url: '/notes/1',
      headers: { origin: 'https://a.example' },
    });
    expect(off.headers['access-control-allow-origin']).toBeUndefined();
  });

  test('JSON may load nothing', async () => {
    const { headers } = await noteApp().inject('/notes/1');
    expect(headers['content-security-policy']).toBe("default-src 'none'; frame-ancestors 'none'");
  });
});

describe('/docs', () => {
  test('documents the routes of plugins as OpenAPI 3.1, from their zod schemas', async () => {
    const app = noteApp({ openapi: { title: 'Notes', description: 'Short texts' } });
    const response = await app.inject('/docs/json');
    const document = response.json<{ openapi: string; info: object; paths: Record<string, object> }>();
    expect(document.openapi).toBe('3.1.0');
    expect(document.info).toMatchObject({ title: 'Notes', description: 'Short texts' });
    expect(Object.keys(document.paths)).toEqual(expect.arrayContaining(['/health', '/notes', '/notes/{id}']));
  });

  test('shows a page whose own policy lets its scripts run', async () => {
    const app = noteApp();
    const page = await app.inject('/docs/');
    expect(page.statusCode).toBe(200);
    expect(page.headers['content-security-policy']).toContain("default-src 'self'");
    expect(page.body).not.toMatch(/<script(?![^>]*\ssrc=)[^>]*>/);
    const script = /<script src="\.?\/?([^"]*swagger-ui-bundle\.js)"/.exec(page.body)?.[1] ?? '';
    expect((await app.inject(new URL(script, 'http://x/docs/').pathname)).statusCode).toBe(200);
  });

  test('can be left out', async () => {
    expect((await noteApp({ openapi: false }).inject('/docs')).statusCode).toBe(404);
  });

  test('a route outside of a plugin is documented when the plugins are there', async () => {
    const config = readConfig(schema, { LOG_LEVEL: 'silent' });
    const app = createApp({ identity, config });
    started.push(app);
    await app.after();
    app.get('/late', () => ({}));
    const document = (await app.inject('/docs/json')).json<{ paths: object }>();
    expect(document.paths).toHaveProperty('/late');
  });
});
