import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { identityOf, readConfig } from '@mesh/service-kit';
import type { FastifyInstance } from 'fastify';
import { buildApp } from './app.ts';
import { discoveryConfig } from './config.ts';

let app: FastifyInstance;

beforeEach(async () => {
  const config = readConfig(discoveryConfig, { LOG_LEVEL: 'silent' });
  app = await buildApp(config, { identity: identityOf('discovery', 3000) });
});
afterEach(() => app.close());

const register = (payload: object, headers: Record<string, string> = {}) =>
  app.inject({ method: 'POST', url: '/register', payload, headers: { host: 'localhost:3000', ...headers } });

test('registers, lists and counts', async () => {
  expect((await register({ name: 'user-service', port: 4000, heartbeatInterval: 30 })).statusCode).toBe(201);
  expect((await app.inject('/services')).json()).toMatchObject({
    services: [{ name: 'user-service', instances: [{ host: '127.0.0.1', port: 4000 }] }],
  });
  expect((await app.inject('/health')).json()).toMatchObject({
    service: 'discovery',
    status: 'healthy',
    services: 1,
    instances: 1,
  });
});

test('serves its page, its metrics and its documentation', async () => {
  expect((await app.inject('/')).body).toContain('<h1>Service discovery</h1>');
  expect((await app.inject('/metrics')).json()).toMatchObject({ totalRequests: 0, successRate: '100.00%' });
  const { paths } = (await app.inject('/docs/json')).json<{ paths: object }>();
  expect(Object.keys(paths)).toEqual(
    expect.arrayContaining(['/register', '/services/{name}', '/invoke', '/metrics']),
  );
});

test('metrics are JSON, and OpenMetrics for whoever asks for it', async () => {
  await register({ name: 'user-service', port: 4000 });
  const scrape = await app.inject({ url: '/metrics', headers: { accept: 'application/openmetrics-text' } });
  expect(scrape.headers['content-type']).toContain('application/openmetrics-text');
  expect(scrape.body).toContain('mesh_discovery_instances{service="user-service",status="up"} 1');
  const { headers } = await app.inject({ url: '/metrics', headers: { accept: '*/*' } });
  expect(headers['content-type']).toContain('application/json');
});

test('what it knows outlives it, as far as somebody still listens there', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'discovery-'));
  const living = createServer(() => undefined).listen(0, '127.0.0.1');
  await once(living, 'listening');
  const { port } = living.address() as AddressInfo;
  const start = () => {
    const REGISTRY_URL = pathToFileURL(join(folder, 'registry.snapshot')).href;
    const config = readConfig(discoveryConfig, { LOG_LEVEL: 'silent', REGISTRY_URL });
    return buildApp(config, { identity: identityOf('discovery', 3000) });
  };
  const first = await start();
  for (const one of [port, 1]) {
    const payload = { name: 'user-service', port: one };
    await first.inject({ method: 'POST', url: '/register', payload, headers: { host: 'localhost' } });
  }
  await first.close();
  const second = await start();
  const ports = async () => {
    const { instances } = (await second.inject('/services/user-service')).json<{
      instances: { port: number }[];
    }>();
    return instances.map((instance) => instance.port);
  };
  while ((await ports()).length > 1) await new Promise((resolve) => setTimeout(resolve, 5));
  expect(await ports()).toEqual([port]);
  await second.close();
  living.close();
  await rm(folder, { recursive: true });
});

test.each(['', 'nonsense', 'a:read', 'a:write:a-secret-of-16-chars', 'a:read:short'])(
  'REGISTRY_TOKENS=%j is refused, and not shown',
  (text) => {
    const read = () => readConfig(discoveryConfig, { REGISTRY_TOKENS: text });
    if (text === '') expect(read().REGISTRY_TOKENS).toEqual([]);
    else expect(read).toThrow('REGISTRY_TOKENS must be name:scopes:secret');
  },
);

test('REGISTRY_TOKENS and REGISTRY_URL', () => {
  const REGISTRY_TOKENS = 'prometheus:read:a-secret-of-16-chars, ops:admin+read:another-secret-of-16';
  expect(readConfig(discoveryConfig, { REGISTRY_TOKENS }).REGISTRY_TOKENS).toEqual([
    { name: 'prometheus', scopes: ['read'], token: 'a-secret-of-16-chars' },
    { name: 'ops', scopes: ['admin', 'read'], token: 'another-secret-of-16' },
  ]);
  expect(() => readConfig(discoveryConfig, { REGISTRY_URL: 'etcd://x' })).toThrow(
    'REGISTRY_URL must be memory:',
  );
});

test('control routes are for this machine', async () => {
  const foreign = await register({ name: 'user-service', port: 4000 }, { host: 'rebound.example' });
  expect(foreign.json()).toMatchObject({ status: 403, code: 'ERR_FORBIDDEN' });
  const invoked = await app.inject({
    method: 'POST',
    url: '/invoke',
    headers: { host: 'localhost:3000', origin: 'http://evil.example' },
    payload: { serviceName: 'user-service', endpoint: '/' },
  });
  expect(invoked.statusCode).toBe(403);
});

test('everything registered is watched, and its alerts can be asked for', async () => {
  await register({ name: 'user-service', port: 4000, host: '127.0.0.1', heartbeatInterval: 30 });
  expect((await app.inject('/health/services')).json()).toMatchObject({
    services: [{ name: 'user-service', instances: [{ id: 'user-service:127.0.0.1:4000' }] }],
  });
  expect((await app.inject('/alerts')).json()).toMatchObject({ resolved: [], silences: [] });
  const foreign = await app.inject({
    method: 'POST',
    url: '/alerts/x/acknowledge',
    headers: { host: 'rebound.example' },
    payload: { by: 'ann' },
  });
  expect(foreign.json()).toMatchObject({ status: 403, code: 'ERR_FORBIDDEN' });
});
