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
