import { afterEach, describe, expect, test } from '@jest/globals';
import Fastify from 'fastify';
import type { FastifyInstance, InjectOptions } from 'fastify';
import type { AuditEvent } from './audit.ts';
import { discoveryServer } from './discovery-server.ts';
import type { DiscoveryServerOptions } from './discovery-server.ts';
import { Registry } from './registry.ts';
import { heartbeatsAnswer, overrideAnswer, serviceAnswer, servicesAnswer, targetsAnswer } from './schemas.ts';

const apps: FastifyInstance[] = [];

async function setUp(options: DiscoveryServerOptions = {}) {
  const registry = options.registry ?? new Registry();
  const app = Fastify();
  apps.push(app);
  await app.register(discoveryServer, { ...options, registry });
  const ask = async (url: string, more: InjectOptions = {}) => await app.inject({ url, ...more });
  const send = (method: 'POST' | 'PUT' | 'DELETE', url: string, payload?: object, more: InjectOptions = {}) =>
    ask(url, { method, ...(payload && { payload }), ...more });
  const idsOf = async (url: string) => {
    const { instances } = (await ask(url)).json<{ instances: { id: string }[] }>();
    return instances.map(({ id }) => id);
  };
  return { app, registry, ask, send, idsOf };
}

afterEach(async () => {
  await Promise.all(apps.splice(0).map((app) => app.close()));
});

const users = { name: 'user-service', host: '127.0.0.1' };

describe('namespaces', () => {
  test('keep services of one name apart', async () => {
    const { send, ask, idsOf, registry } = await setUp();
    await send('POST', '/register', { ...users, port: 4000 });
    const answer = await send('POST', '/register', { ...users, port: 4001, namespace: 'test' });
    expect(answer.json()).toMatchObject({ namespace: 'test', id: '127.0.0.1:4001' });
    expect(await idsOf('/services/user-service')).toEqual(['127.0.0.1:4000']);
    expect(await idsOf('/services/user-service?namespace=test')).toEqual(['127.0.0.1:4001']);
    const names = async (query: string) =>
      servicesAnswer
        .parse((await ask(`/services${query}`)).json())
        .services.map(({ namespace }) => namespace);
    expect(await names('')).toEqual([undefined]);
    expect(await names('?namespace=test')).toEqual(['test']);
    expect(await names('?namespace=*')).toEqual(['test', undefined]);
    expect((await send('POST', '/heartbeat', { ...users, port: 4001 })).statusCode).toBe(404);
    expect((await send('POST', '/heartbeat', { ...users, port: 4001, namespace: 'test' })).statusCode).toBe(
      200,
    );
    expect((await send('DELETE', '/services/user-service/4001')).statusCode).toBe(404);
    expect((await send('DELETE', '/services/user-service/4001?namespace=test')).statusCode).toBe(200);
    expect(registry.size).toBe(1);
  });
});

describe('POST /heartbeats', () => {
  test('renews many; each has its own answer', async () => {
    const { send } = await setUp();
    await send('POST', '/register', { ...users, port: 4000, incarnation: 'first' });
    await send('POST', '/register', { ...users, port: 4000, incarnation: 'second' });
    await send('POST', '/register', { ...users, port: 4001 });
    const heartbeats = [
      { ...users, port: 4001 },
      { ...users, port: 4002 },
      { ...users, port: 4000, incarnation: 'first' },
    ];
    const answer = await send('POST', '/heartbeats', { heartbeats });
    expect(answer.statusCode).toBe(200);
    const { results } = heartbeatsAnswer.strict().parse(answer.json());
    expect(results).toMatchObject([
      { status: 200, lease: { durationMs: 45_000 } },
      { status: 404, code: 'ERR_INSTANCE_UNKNOWN' },
      { status: 409, code: 'ERR_INCARNATION_STALE' },
    ]);
  });

  test.each([
    {},
    { heartbeats: [] },
    { heartbeats: [{ name: 'a' }] },
    { heartbeats: Array(1001).fill({ ...users, port: 1 }) },
  ])('refuses a batch that is none (%#)', async (payload) => {
    const { send } = await setUp();
    expect((await send('POST', '/heartbeats', payload)).statusCode).toBe(400);
  });
});

describe('decisions about an instance', () => {
  const at = '/services/user-service/127.0.0.1:4000';

  test('hide it, survive its next registration, and end when they are taken back', async () => {
    const { send, ask, idsOf } = await setUp();
    await send('POST', '/register', { ...users, port: 4000, incarnation: 'first' });
    for (const status of ['maintenance', 'draining']) {
      const answer = await send('PUT', `${at}/status`, { status });
      expect(overrideAnswer.strict().parse(answer.json())).toEqual({
        name: 'user-service',
        id: '127.0.0.1:4000',
        override: { status },
      });
      expect(await idsOf('/services/user-service')).toEqual([]);
      expect(await idsOf('/services/user-service?status=any')).toHaveLength(1);
      expect(await idsOf(`/services/user-service?status=${status}`)).toHaveLength(1);
      expect(await idsOf('/services/user-service?status=down')).toHaveLength(0);
      await send('POST', '/register', { ...users, port: 4000, incarnation: `after-${status}` });
      expect(await idsOf('/services/user-service')).toEqual([]);
    }
    await send('PUT', `${at}/status`, { status: 'up' });
    expect(await idsOf('/services/user-service')).toHaveLength(1);
    serviceAnswer.strict().parse((await ask('/services/user-service')).json());
  });

  test('may come before it, and outlive it', async () => {
    const { send, idsOf } = await setUp();
    expect((await send('PUT', `${at}/weight`, { weight: 5 })).statusCode).toBe(200);
    const { weight } = (await send('POST', '/register', { ...users, port: 4000, weight: 2 })).json<{
      weight: number;
    }>();
    expect(weight).toBe(5);
    await send('DELETE', '/services/user-service/4000');
    await send('PUT', `${at}/status`, { status: 'maintenance' });
    await send('POST', '/register', { ...users, port: 4000, weight: 2 });
    expect(await idsOf('/services/user-service')).toEqual([]);
    await send('PUT', `${at}/weight`, { weight: null });
    const answer = await send('POST', '/register', { ...users, port: 4000, weight: 2 });
    expect(answer.json()).toMatchObject({ weight: 2, status: 'maintenance' });
  });

  test('a process that drains itself is drained as long as it runs, and its successor is not', async () => {
    const { send, idsOf } = await setUp();
    await send('POST', '/register', { ...users, port: 4000, incarnation: 'first' });
    expect((await send('PUT', `${at}/drain?incarnation=first`)).statusCode).toBe(200);
    expect((await send('PUT', `${at}/drain?incarnation=other`)).statusCode).toBe(404);
    await send('POST', '/register', { ...users, port: 4000, incarnation: 'first' });
    expect(await idsOf('/services/user-service')).toEqual([]);
    await send('POST', '/register', { ...users, port: 4000, incarnation: 'second' });
    expect(await idsOf('/services/user-service')).toHaveLength(1);
    await send('PUT', `${at}/drain`);
    await send('POST', '/register', { ...users, port: 4000, incarnation: 'third' });
    expect(await idsOf('/services/user-service')).toEqual([]);
    await send('DELETE', `${at}/drain`);
    expect(await idsOf('/services/user-service')).toHaveLength(1);
  });

  test('an instance that calls itself unhealthy is down until it says otherwise', async () => {
    const { send, idsOf } = await setUp();
    await send('POST', '/register', { ...users, port: 4000, healthy: false });
    expect(await idsOf('/services/user-service?status=down')).toHaveLength(1);
    await send('POST', '/heartbeat', { ...users, port: 4000 });
    expect(await idsOf('/services/user-service')).toHaveLength(0);
    await send('POST', '/heartbeat', { ...users, port: 4000, healthy: true });
    expect(await idsOf('/services/user-service')).toHaveLength(1);
  });

  test('there is a bound to them', async () => {
    const { send } = await setUp({ registry: new Registry({ maximumOverrides: 1 }) });
    await send('PUT', `${at}/status`, { status: 'maintenance' });
    const refused = await send('PUT', '/services/user-service/other/status', { status: 'maintenance' });
    expect(refused.statusCode).toBe(503);
    expect((await send('PUT', `${at}/weight`, { weight: 2 })).statusCode).toBe(200);
  });
});

describe('filters', () => {
  const setUpFleet = async () => {
    const world = await setUp();
    const fleet = [
      { port: 1, zone: 'a', version: '1.2.0' },
      { port: 2, zone: 'b', version: '1.3.5' },
      { port: 3, metadata: { zone: 'a', version: '2.0.0', team: 'x' } },
      { port: 4 },
    ];
    for (const one of fleet) await world.send('POST', '/register', { ...users, ...one });
    const portsOf = async (query: string) =>
      (await world.idsOf(`/services/user-service?${query}`)).map((id) => Number(id.split(':')[1]));
    return { ...world, portsOf };
  };

  test.each([
    ['zone=a', [1, 3]],
    ['version=1', [1, 2]],
    ['version=^1.2.1', [2]],
    ['version=~1.2.0', [1]],
    ['version=%3E%3D1.3.0%20%3C3', [2, 3]],
    ['meta.team=x', [3]],
    ['meta.team=y', []],
    ['zone=a&version=2', [3]],
    ['limit=2', [1, 2]],
    ['zone=a&limit=1', [1]],
  ])('%s', async (query, ports) => {
    expect(await (await setUpFleet()).portsOf(query)).toEqual(ports);
  });

  test.each([
    'version=x',
    'version=1.2.3.4',
    'limit=0',
    'limit=-1',
    'status=gone',
    'zone=a%20b',
    'meta.=x',
    'other=1',
    'wait=601',
    'wait=x',
  ])('%s is refused', async (query) => {
    const { ask } = await setUp();
    const answer = await ask(`/services/user-service?${query}`);
    expect(answer.json()).toMatchObject({ status: 400, code: 'ERR_VALIDATION' });
  });

  test('all services come in pages', async () => {
    const { send, ask } = await setUp();
    for (let n = 0; n < 5; n++) await send('POST', '/register', { name: `service-${n}`, port: 4000 + n });
    const seen: string[] = [];
    let after: string | undefined = '';
    while (after !== undefined) {
      const page = servicesAnswer.strict().parse((await ask(`/services?limit=2&after=${after}`)).json());
      seen.push(...page.services.map(({ name }) => name));
      after = page.next;
    }
    expect(seen).toEqual(['service-0', 'service-1', 'service-2', 'service-3', 'service-4']);
  });

  test('a long list of all comes in pieces and is the same', async () => {
    const { registry, ask } = await setUp();
    for (let at = 0; at < 1500; at++)
      registry.register({ ...users, name: `service-${at % 30}`, port: 1 + at });
    const answer = await ask('/services');
    expect(answer.headers['content-type']).toBe('application/json; charset=utf-8');
    expect(servicesAnswer.strict().parse(answer.json()).services).toEqual(
      registry.list().map(({ name, instances }) => ({ name, instances })),
    );
  });
});

describe('long polls', () => {
  const tagOf = async (ask: (url: string) => Promise<{ headers: Record<string, unknown> }>) =>
    String((await ask('/services/user-service')).headers['etag']);

  test('are held until the service changes, and not by other services', async () => {
    const { ask, registry } = await setUp();
    registry.register({ ...users, port: 4000 });
    const tag = await tagOf(ask);
    let isOver = false;
    const held = ask('/services/user-service?wait=30', { headers: { 'if-none-match': tag } }).finally(
      () => (isOver = true),
    );
    await new Promise((resolve) => setTimeout(resolve, 30));
    registry.register({ ...users, name: 'order-service', port: 5000 });
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(isOver).toBe(false);
    registry.register({ ...users, port: 4001 });
    expect((await held).json<{ instances: unknown[] }>().instances).toHaveLength(2);
  });

  test('end with 304 when nothing happens, and at once when the caller is behind', async () => {
    const { ask, registry } = await setUp();
    registry.register({ ...users, port: 4000 });
    const tag = await tagOf(ask);
    const unchanged = await ask('/services/user-service?wait=0.02', { headers: { 'if-none-match': tag } });
    expect([unchanged.statusCode, unchanged.body]).toEqual([304, '']);
    expect(
      (await ask('/services/user-service?wait=30', { headers: { 'if-none-match': 'W/"old:1"' } })).statusCode,
    ).toBe(200);
    expect((await ask('/services/user-service?wait=30')).statusCode).toBe(200);
  });

  test('wait for a service to appear', async () => {
    const { ask, registry } = await setUp();
    const first = await ask('/services/user-service');
    expect([first.statusCode, first.headers['x-registry-revision']]).toEqual([404, registry.revision]);
    const held = ask('/services/user-service?wait=30', {
      headers: { 'if-none-match': String(first.headers.etag) },
    });
    await new Promise((resolve) => setTimeout(resolve, 20));
    registry.register({ ...users, port: 4000 });
    expect((await held).statusCode).toBe(200);
  });

  test('are let go when the app closes', async () => {
    const { app, ask, registry } = await setUp();
    registry.register({ ...users, port: 4000 });
    const held = ask('/services/user-service?wait=30', { headers: { 'if-none-match': await tagOf(ask) } });
    await new Promise((resolve) => setTimeout(resolve, 20));
    await app.close();
    expect((await held).statusCode).toBe(304);
  });
});

describe('who may do what', () => {
  const tokens = [
    { name: 'reader', token: 'reader-secret-16-chars', scopes: ['read'] },
    { name: 'service', token: 'service-secret-16-chars', scopes: ['register', 'read'] },
    { name: 'operator', token: 'operator-secret-16-char', scopes: ['admin'] },
  ] as const;
  const calls = {
    read: ['GET', '/services', undefined],
    register: ['POST', '/register', { ...users, port: 4000 }],
    admin: ['PUT', '/services/user-service/x/weight', { weight: 2 }],
  } as const;

  test.each([
    ['reader', { read: 200, register: 403, admin: 403 }],
    ['service', { read: 200, register: 201, admin: 403 }],
    ['operator', { read: 403, register: 403, admin: 200 }],
    ['nobody', { read: 401, register: 401, admin: 401 }],
  ])('from another machine %s: %j', async (who, expected) => {
    const { app } = await setUp({ access: { tokens } });
    const token = tokens.find(({ name }) => name === who)?.token ?? 'a-wrong-secret-of-16';
    const found = Object.entries(calls).map(async ([scope, [method, url, payload]]) => {
      const headers = { host: 'localhost', authorization: `Bearer ${token}` };
      const answer = await app.inject({
        method,
        url,
        headers,
        remoteAddress: '10.0.0.7',
        ...(payload && { payload }),
      });
      return [scope, answer.statusCode];
    });
    expect(Object.fromEntries(await Promise.all(found))).toEqual(expected);
  });

  test('this machine reads without a token, and changes things without one only where there are none', async () => {
    const [open, closed] = [await setUp(), await setUp({ access: { tokens } })];
    expect((await open.send('POST', '/register', calls.register[2])).statusCode).toBe(201);
    expect((await closed.ask('/services')).statusCode).toBe(200);
    expect((await closed.send('POST', '/register', calls.register[2])).statusCode).toBe(401);
    expect((await (await setUp({ access: { tokens, reads: 'token' } })).ask('/services')).statusCode).toBe(
      401,
    );
    const foreign = { remoteAddress: '10.0.0.7' };
    expect((await (await setUp({ access: { reads: 'open' } })).ask('/services', foreign)).statusCode).toBe(
      200,
    );
    expect((await open.ask('/services', foreign)).statusCode).toBe(401);
    expect((await open.ask('/watch', foreign)).statusCode).toBe(401);
  });

  test.each([
    [{ tokens: [{ name: 'a', token: 'has blanks', scopes: ['read'] }] }, 'access: token must be'],
    [{ tokens: [{ name: 'a', token: 'a-secret-of-16-chars', scopes: [] }] }, 'access: scopes of a must name'],
  ] as const)('a token that makes no sense is a RangeError (%#)', async (access, message) => {
    await expect(setUp({ access })).rejects.toThrow(message);
  });

  test('who did what is told, and what was refused; a broken listener harms nobody', async () => {
    const events: AuditEvent[] = [];
    const onAudit = (event: AuditEvent) => {
      events.push(event);
      throw new Error('broken');
    };
    const { send } = await setUp({ access: { tokens }, onAudit });
    const as = (n: 1 | 2) => ({ headers: { authorization: `Bearer ${tokens[n].token}` } });
    await send('POST', '/register', calls.register[2], as(1));
    await send('PUT', '/services/user-service/x/weight?namespace=test', { weight: 2 }, as(2));
    await send('PUT', '/services/user-service/x/weight', { weight: 2 }, as(1));
    await send('DELETE', '/services/user-service/4000', undefined, as(1));
    expect(events).toMatchObject([
      { action: 'register', caller: 'service', target: 'user-service/127.0.0.1:4000' },
      { action: 'weight', caller: 'operator', target: 'test/user-service/x', detail: '{"weight":2}' },
      { action: 'refused', target: 'PUT /services/user-service/x/weight', detail: 'ERR_FORBIDDEN' },
      { action: 'deregister', caller: 'service', target: 'user-service/127.0.0.1:4000' },
    ]);
    expect(JSON.stringify(events)).not.toContain('secret');
  });
});

describe('quotas', () => {
  test('a caller that asks too often is told when to come back; others are not concerned', async () => {
    let nowMs = 0;
    const quota = { requestsPerSecond: 10, burst: 3, clock: { now: () => nowMs } };
    const { ask } = await setUp({ access: { reads: 'open' }, quota });
    const from = async (remoteAddress: string) => await ask('/services', { remoteAddress });
    for (let n = 0; n < 3; n++) expect((await from('10.0.0.7')).statusCode).toBe(200);
    const refused = await from('10.0.0.7');
    expect(refused.json()).toMatchObject({ status: 429, code: 'ERR_RATE_LIMITED' });
    expect(refused.headers['retry-after']).toBe('1');
    expect((await from('10.0.0.8')).statusCode).toBe(200);
    for (let n = 0; n < 10; n++) expect((await from('127.0.0.1')).statusCode).toBe(200);
    nowMs += 100;
    expect([(await from('10.0.0.7')).statusCode, (await from('10.0.0.7')).statusCode]).toEqual([200, 429]);
  });

  test.each([
    [{ requestsPerSecond: 0 }, 'quota: requestsPerSecond must be an integer from 1 to 10000000, got 0'],
    [{ streams: -1 }, 'quota: streams must be an integer from 0 to 1000000, got -1'],
  ])('%j is a RangeError', async (quota, message) => {
    await expect(setUp({ quota })).rejects.toThrow(new RangeError(message));
  });

  test('streams are counted while they are open', async () => {
    const { app } = await setUp({ quota: { streams: 1, isLocalLimited: true } });
    await app.listen({ host: '127.0.0.1', port: 0 });
    const url = app.listeningOrigin;
    const first = await fetch(`${url}/watch`);
    expect((await fetch(`${url}/watch`)).status).toBe(429);
    await first.body?.cancel();
    let status = 429;
    while (status === 429) {
      const next = await fetch(`${url}/watch`);
      status = next.status;
      await next.body?.cancel();
    }
    expect(status).toBe(200);
  });
});

describe('for other tools', () => {
  test('Prometheus finds the targets', async () => {
    const { send, ask } = await setUp();
    const metadata = { metrics_path: '/prom', 'team.name': 'x' };
    await send('POST', '/register', { ...users, port: 4000, zone: 'a', version: '1.0.0', metadata });
    await send('POST', '/register', { name: 'order-service', host: '::1', port: 5000, namespace: 'test' });
    await send('POST', '/register', { ...users, port: 4001, healthy: false });
    const targets = targetsAnswer.parse((await ask('/sd/prometheus')).json());
    expect(targets).toEqual([
      {
        targets: ['127.0.0.1:4000'],
        labels: {
          __meta_mesh_service: 'user-service',
          __meta_mesh_namespace: 'default',
          __meta_mesh_instance: '127.0.0.1:4000',
          __meta_mesh_zone: 'a',
          __meta_mesh_version: '1.0.0',
          __metrics_path__: '/prom',
          __meta_mesh_metadata_metrics_path: '/prom',
          __meta_mesh_metadata_team_name: 'x',
        },
      },
    ]);
    const all = targetsAnswer.parse((await ask('/sd/prometheus?namespace=*&service=order-service')).json());
    expect(all.map((one) => one.targets)).toEqual([['[::1]:5000']]);
  });

  test('the OpenAPI document names every route, its bodies and its parameters', async () => {
    const { ask } = await setUp();
    const document = (await ask('/openapi.json')).json<{
      openapi: string;
      paths: Record<string, Record<string, { parameters: { name: string }[]; requestBody?: object }>>;
    }>();
    expect(document.openapi).toBe('3.1.0');
    const routes = Object.entries(document.paths).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => `${method} ${path}`),
    );
    expect(routes.sort()).toEqual([
      'delete /services/{name}/{id}/drain',
      'delete /services/{name}/{port}',
      'get /health',
      'get /openapi.json',
      'get /sd/prometheus',
      'get /services',
      'get /services/{name}',
      'get /watch',
      'post /heartbeat',
      'post /heartbeats',
      'post /register',
      'post /session',
      'put /services/{name}/{id}/drain',
      'put /services/{name}/{id}/status',
      'put /services/{name}/{id}/weight',
    ]);
    const lookup = document.paths['/services/{name}']?.['get'];
    expect(lookup?.parameters.map(({ name }) => name)).toEqual(
      expect.arrayContaining(['name', 'namespace', 'status', 'zone', 'version', 'limit', 'wait']),
    );
    expect(document.paths['/register']?.['post']?.requestBody).toMatchObject({
      content: { 'application/json': { schema: { required: ['name', 'port'] } } },
    });
  });
});
