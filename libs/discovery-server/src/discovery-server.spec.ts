import { afterEach, describe, expect, test } from '@jest/globals';
import { VirtualTime } from '@mesh/resilience/testing';
import Fastify from 'fastify';
import type { FastifyInstance, FastifyServerOptions, InjectOptions } from 'fastify';
import type { ZodObject } from 'zod';
import { discoveryServer } from './discovery-server.ts';
import type { DiscoveryServerOptions } from './discovery-server.ts';
import { Registry } from './registry.ts';
import {
  healthAnswer,
  heartbeatAnswer,
  instanceSchema,
  registerAnswer,
  serviceAnswer,
  servicesAnswer,
} from './schemas.ts';

const apps: FastifyInstance[] = [];

async function setUp(options: DiscoveryServerOptions = {}, server: FastifyServerOptions = {}) {
  const app = Fastify(server);
  apps.push(app);
  await app.register(discoveryServer, options);
  return app;
}

afterEach(async () => {
  await Promise.all(apps.splice(0).map((app) => app.close()));
});

const users = { name: 'user-service', port: 4000, heartbeatInterval: 30 };

/** The body of seed 002 as its curl call writes it. */
const meshBody = {
  id: 'user-service-1',
  name: 'user-service',
  host: 'localhost',
  port: 4001,
  healthCheckUrl: 'http://localhost:4001/health',
  metadata: { version: '1.0.0', region: 'us-east-1' },
  healthy: true,
  failureCount: 0,
  requestCount: 0,
  avgResponseTime: 0,
  lastHealthCheck: 0,
};

function post(app: FastifyInstance, url: string, payload: object, more: InjectOptions = {}) {
  return app.inject({ method: 'POST', url, payload, ...more });
}

/** Nothing but what the schema says: the routes do not check their answers at run time. */
function expectExactly(schema: ZodObject, body: unknown): void {
  expect(schema.strict().parse(body)).toEqual(body);
}

describe('POST /register', () => {
  test('takes the documented body, lists the caller and answers with the lease', async () => {
    const app = await setUp();
    const answer = await post(app, '/register', users);
    expect(answer.statusCode).toBe(201);
    expectExactly(registerAnswer, answer.json());
    expect(answer.json()).toMatchObject({
      ...users,
      id: '127.0.0.1:4000',
      host: '127.0.0.1',
      weight: 1,
      metadata: {},
      status: 'up',
      lease: { durationMs: 45_000 },
    });
    expect((await post(app, '/register', users)).statusCode).toBe(200);
  });

  test('takes the body of a mesh instance with its own statistics, and keeps what is about calling it', async () => {
    const app = await setUp();
    const answer = await post(app, '/register', meshBody);
    expect(answer.statusCode).toBe(201);
    expectExactly(registerAnswer, answer.json());
    const { id, name, host, port, healthCheckUrl, metadata } = meshBody;
    expect(answer.json()).toMatchObject({ id, name, host, port, healthCheckUrl, metadata });
  });

  test.each([
    ['10.0.0.7', '10.0.0.7'],
    ['::ffff:10.0.0.7', '10.0.0.7'],
    ['::1', '127.0.0.1'],
    ['::ffff:127.0.0.1', '127.0.0.1'],
    ['2001:db8::7', '2001:db8::7'],
  ])('a caller at %s is listed at %s', async (remoteAddress, host) => {
    const token = 'a-secret-of-16-characters';
    const app = await setUp({ guard: { token } });
    const more = { remoteAddress, headers: { authorization: `Bearer ${token}` } };
    const answer = await post(app, '/register', users, more);
    expect(answer.json()).toMatchObject({ host });
    expect((await post(app, '/heartbeat', users, more)).statusCode).toBe(200);
  });

  test('an address of IPv6 has brackets in the default id', async () => {
    const app = await setUp();
    const answer = await post(app, '/register', { ...users, host: '2001:DB8::7' });
    expect(answer.json()).toMatchObject({ id: '[2001:db8::7]:4000', host: '2001:db8::7' });
  });
});

describe('POST /heartbeat', () => {
  test('renews, and answers an unknown instance with 404', async () => {
    const time = new VirtualTime();
    const registry = new Registry({ clock: time, timers: time, wallClock: time.wallClock });
    const app = await setUp({ registry });
    expect((await post(app, '/heartbeat', users)).json()).toMatchObject({
      status: 404,
      code: 'ERR_INSTANCE_UNKNOWN',
    });
    await post(app, '/register', users);
    time.advanceSync(40_000);
    const answer = await post(app, '/heartbeat', users);
    expect(answer.statusCode).toBe(200);
    expectExactly(heartbeatAnswer, answer.json());
    expect(answer.json()).toMatchObject({
      lease: { durationMs: 45_000, expiresAt: '2026-01-01T00:01:25.000Z' },
    });
    time.advanceSync(45_000);
    expect((await post(app, '/heartbeat', users)).statusCode).toBe(404);
  });

  test('of a process that was replaced is answered with 409', async () => {
    const app = await setUp();
    await post(app, '/register', { ...users, incarnation: 'old' });
    await post(app, '/register', { ...users, incarnation: 'new' });
    const answer = await post(app, '/heartbeat', { ...users, incarnation: 'old' });
    expect(answer.json()).toMatchObject({ status: 409, code: 'ERR_INCARNATION_STALE' });
  });
});

describe('GET /services', () => {
  test('lists everything, one service, and neither a service without instances', async () => {
    const app = await setUp();
    expect((await app.inject('/services')).json()).toMatchObject({ services: [] });
    await post(app, '/register', users);
    await post(app, '/register', meshBody);
    await post(app, '/register', { name: 'order-service', port: 5000 });
    const all = await app.inject('/services');
    expectExactly(servicesAnswer, all.json());
    expect(all.json()).toMatchObject({
      services: [
        { name: 'order-service', instances: [{ port: 5000 }] },
        { name: 'user-service', instances: [{ port: 4000 }, { port: 4001 }] },
      ],
    });
    const one = await app.inject('/services/user-service');
    expectExactly(serviceAnswer, one.json());
    expect(one.json<{ instances: unknown[] }>().instances).toHaveLength(2);
    expect((await app.inject('/services/payment-service')).json()).toMatchObject({
      status: 404,
      code: 'ERR_SERVICE_UNKNOWN',
    });
  });

  test.each(['/services', '/services/user-service'])(
    '%s answers 304 until something changes',
    async (url) => {
      const app = await setUp();
      await post(app, '/register', users);
      const { etag } = (await app.inject(url)).headers;
      expect(etag).toMatch(/^W\/".+:1"$/);
      const headers = { 'if-none-match': String(etag) };
      await post(app, '/heartbeat', users);
      const unchanged = await app.inject({ url, headers });
      expect({ status: unchanged.statusCode, body: unchanged.body }).toEqual({ status: 304, body: '' });
      expect(unchanged.headers.etag).toBe(etag);
      await post(app, '/register', { ...users, weight: 2 });
      expect((await app.inject({ url, headers })).statusCode).toBe(200);
    },
  );

  test('the tag of a service does not move with other services', async () => {
    const app = await setUp();
    await post(app, '/register', users);
    const { etag } = (await app.inject('/services/user-service')).headers;
    await post(app, '/register', { name: 'order-service', port: 5000 });
    expect((await app.inject('/services/user-service')).headers.etag).toBe(etag);
  });

  test('HEAD has no body', async () => {
    const app = await setUp();
    const answer = await app.inject({ method: 'HEAD', url: '/services' });
    expect({ status: answer.statusCode, body: answer.body }).toEqual({ status: 200, body: '' });
  });
});

describe('DELETE /services/:name/:port', () => {
  const remove = (app: FastifyInstance, url: string) => app.inject({ method: 'DELETE', url });

  test('answers with the instance it removed', async () => {
    const app = await setUp();
    await post(app, '/register', users);
    const answer = await remove(app, '/services/user-service/4000');
    expect(answer.statusCode).toBe(200);
    expectExactly(instanceSchema, answer.json());
    const again = await remove(app, '/services/user-service/4000');
    expect(again.json()).toMatchObject({ status: 404, code: 'ERR_INSTANCE_UNKNOWN' });
  });

  test('asks which one when several machines use that port', async () => {
    const app = await setUp();
    await post(app, '/register', { ...users, host: '10.0.0.1' });
    await post(app, '/register', { ...users, host: '10.0.0.2' });
    const unclear = await remove(app, '/services/user-service/4000');
    expect(unclear.json()).toMatchObject({ status: 409, code: 'ERR_INSTANCE_AMBIGUOUS' });
    expect((await remove(app, '/services/user-service/4000?host=10.0.0.2')).statusCode).toBe(200);
    expect((await remove(app, '/services/user-service/4000?id=10.0.0.1:4000')).statusCode).toBe(200);
  });

  test('is not for a process that was replaced', async () => {
    const app = await setUp();
    await post(app, '/register', { ...users, incarnation: 'new' });
    const answer = await remove(app, '/services/user-service/4000?incarnation=old');
    expect(answer.json()).toMatchObject({ status: 409, code: 'ERR_INCARNATION_STALE' });
  });
});

test('GET /health tells uptime and counts', async () => {
  const time = new VirtualTime();
  const registry = new Registry({ clock: time, timers: time, wallClock: time.wallClock });
  const app = await setUp({ registry });
  await post(app, '/register', users);
  await post(app, '/register', meshBody);
  time.advanceSync(1500);
  const body: unknown = (await app.inject('/health')).json();
  expectExactly(healthAnswer, body);
  expect(body).toEqual({
    service: 'discovery',
    status: 'healthy',
    uptime: 1.5,
    timestamp: '2026-01-01T00:00:01.500Z',
    services: 1,
    instances: 2,
    watchers: 0,
    sessions: 0,
    protection: false,
    revision: `${registry.epoch}:2`,
  });
});

test('a full registry answers 503 with Retry-After', async () => {
  const app = await setUp({ registry: new Registry({ maximumInstances: 1 }) });
  await post(app, '/register', users);
  const answer = await post(app, '/register', { ...users, port: 4001 });
  expect(answer.json()).toMatchObject({ status: 503, code: 'ERR_UNAVAILABLE' });
  expect(answer.headers['retry-after']).toBe('10');
});

describe('who may change things', () => {
  const changes: ['POST' | 'DELETE', string, object | undefined][] = [
    ['POST', '/register', users],
    ['POST', '/heartbeat', users],
    ['DELETE', '/services/user-service/4000', undefined],
  ];

  test.each(changes)('%s %s: no foreign host, no foreign origin', async (method, url, payload) => {
    const app = await setUp();
    for (const headers of [{ host: 'evil.example' }, { origin: 'http://evil.example' }]) {
      const answer = await app.inject({ method, url, headers, ...(payload && { payload }) });
      expect(answer.json()).toMatchObject({ status: 403, code: 'ERR_FORBIDDEN' });
    }
  });

  test.each(changes)('%s %s: not without the token, before the body is read', async (method, url) => {
    const app = await setUp({ guard: { token: 'secret' } });
    const answer = await app.inject({
      method,
      url,
      payload: '{',
      headers: { 'content-type': 'application/json' },
    });
    expect(answer.json()).toMatchObject({ status: 401, code: 'ERR_UNAUTHORIZED' });
    expect(answer.headers['www-authenticate']).toBe('Bearer');
    expect(answer.body).not.toContain('secret');
  });

  test('with the token everything goes, and reading needs none', async () => {
    const app = await setUp({ guard: { token: 'secret' } });
    const headers = { authorization: 'Bearer secret' };
    expect((await post(app, '/register', users, { headers })).statusCode).toBe(201);
    expect((await app.inject('/services/user-service')).statusCode).toBe(200);
  });
});

describe('in an app of its own', () => {
  test('it changes nothing outside of its scope', async () => {
    const app = await setUp();
    app.post('/echo', (request) => ({ echo: request.body }));
    app.get('/fails', () => {
      throw new Error('of the app');
    });
    const echo = await app.inject({
      method: 'POST',
      url: '/echo',
      payload: 'text',
      headers: { 'content-type': 'text/plain' },
    });
    expect(echo.json()).toEqual({ echo: 'text' });
    const failure = await app.inject('/fails');
    expect(failure.json()).toMatchObject({ message: 'of the app' });
    expect((await app.inject('/')).statusCode).toBe(404);
    expect((await app.inject('/metrics')).statusCode).toBe(404);
  });

  test('it may be mounted under a prefix, without its health', async () => {
    const app = Fastify();
    apps.push(app);
    await app.register(discoveryServer, { prefix: '/registry', health: false });
    app.get('/health', () => 'the app');
    expect((await post(app, '/registry/register', users)).statusCode).toBe(201);
    expect((await app.inject('/registry/health')).statusCode).toBe(404);
    expect((await app.inject('/health')).body).toBe('the app');
  });

  test('it closes a registry of its own, and leaves the one it was given', async () => {
    const time = new VirtualTime();
    const registry = new Registry({ clock: time, timers: time, wallClock: time.wallClock });
    const app = await setUp({ registry });
    await post(app, '/register', users);
    await app.close();
    expect(time.pending).toBe(1);
    expect(registry.peek('user-service')?.instances).toHaveLength(1);
    registry.close();
  });
});
