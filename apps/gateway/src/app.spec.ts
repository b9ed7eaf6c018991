import { afterEach, expect, test } from '@jest/globals';
import { ConfigError, createApp, identityOf, readConfig } from '@mesh/service-kit';
import type { FastifyInstance } from 'fastify';
import type { AddressInfo } from 'node:net';
import { buildApp } from './app.ts';
import { gatewayConfig } from './config.ts';

const closing: { close(): unknown }[] = [];

afterEach(async () => {
  for (const one of closing.splice(0).reverse()) await one.close();
});

type Discovery = Parameters<typeof buildApp>[1]['discovery'];

/** A gateway over one instance of each service; what is not named has none. */
async function gateway(services: Record<string, FastifyInstance>): Promise<FastifyInstance> {
  const known = new Map<string, object>();
  for (const [name, app] of Object.entries(services)) {
    await app.listen({ port: 0, host: '127.0.0.1' });
    closing.push(app);
    const { port } = app.server.address() as AddressInfo;
    known.set(name, { instances: [{ id: `${name}-1`, host: '127.0.0.1', port }] });
  }
  const peek = (name: string) => known.get(name) ?? { instances: [] };
  const discovery = {
    peek,
    resolve: (name: string) => Promise.resolve(peek(name)),
    status: 'connected',
    cache: () => [],
  } as unknown as Discovery;
  const config = readConfig(gatewayConfig, { LOG_LEVEL: 'silent' });
  const app = await buildApp(config, { identity: identityOf('api-gateway', 8000), discovery });
  closing.push(app);
  return app;
}

function service(name: string): FastifyInstance {
  const config = readConfig(gatewayConfig, { LOG_LEVEL: 'silent' });
  return createApp({ identity: identityOf(name, 1), config, openapi: false });
}

test('the Location of a new resource is true at the gateway', async () => {
  const users = service('user-service');
  users.post('/api/users', (_request, reply) => reply.code(201).header('location', '/api/users/4').send({}));
  users.get('/api/users/4', () => ({ user: { id: 4 } }));
  const app = await gateway({ 'user-service': users });
  const created = await app.inject({ method: 'POST', url: '/api/users', payload: {} });
  const { location } = created.headers;
  expect((await app.inject(String(location))).json()).toEqual({ user: { id: 4 } });
});

test('composed answers are among the last requests, beside those that were passed on', async () => {
  const users = service('user-service');
  users.get('/users', () => ({ users: [] }));
  const app = await gateway({ 'user-service': users });
  const origin = await app.listen({ port: 0, host: '127.0.0.1' });
  for (const path of ['/users-with-orders', '/api/user-service/users', '/health']) await fetch(origin + path);
  const { traces } = (await (await fetch(`${origin}/traces`)).json()) as { traces: { route: string }[] };
  expect(traces.map(({ route }) => route)).toEqual(['services', '/users-with-orders']);
});

test('orders of a user come by pages, and their number is told', async () => {
  const orders = service('order-service');
  const asked: unknown[] = [];
  orders.get('/orders/user/1', ({ query }) => {
    asked.push(query);
    return { orders: [], meta: { total: 262 } };
  });
  const app = await gateway({ 'order-service': orders });
  const answer = await app.inject('/orders/user/1?limit=50&offset=250');
  expect(answer.json()).toMatchObject({ orders: [], meta: { userId: 1, total: 262, degraded: false } });
  expect(asked).toEqual([{ limit: '50', offset: '250' }]);
});

test('the worse part speaks for the whole: nothing is worse than something old', async () => {
  const users = service('user-service');
  users.get('/users', () => ({ users: [{ id: 1 }] }));
  const app = await gateway({ 'user-service': users });
  await app.inject('/users');
  await users.close();
  const { meta } = (await app.inject('/users-with-orders')).json<{ meta: object }>();
  expect(meta).toMatchObject({
    source: 'fallback',
    degraded: true,
    parts: { users: { source: 'stale-cache' }, orders: { source: 'fallback' } },
  });
  expect(meta).not.toHaveProperty('ageMs');
});

test.each([
  ['CIRCUIT_MAXIMUM_FAILURES', 'abc'],
  ['CIRCUIT_MAXIMUM_FAILURES', '0x3'],
  ['CIRCUIT_TIME_WINDOW_MS', '0'],
  ['CIRCUIT_RESET_TIMEOUT_MS', '0'],
])('%s=%s is refused by name, before anything is built', (name, value) => {
  const read = () => readConfig(gatewayConfig, { [name]: value });
  expect(read).toThrow(ConfigError);
  expect(read).toThrow(`${name} must be a whole number from 1`);
});
