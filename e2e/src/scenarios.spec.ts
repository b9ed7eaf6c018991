import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { eventually } from './eventually.ts';
import { call, get } from './http.ts';
import { startMesh, type RunningMesh } from './running-mesh.ts';

/** The learning scenarios, in their order; one mesh lives through all of them. */
let mesh: RunningMesh;
const gateway = (path: string): string => `${mesh.url('api-gateway')}${path}`;
const discovery = (path: string): string => `${mesh.url('discovery')}${path}`;

beforeAll(async () => {
  mesh = await startMesh({ CIRCUIT_RESET_TIMEOUT_MS: '1000' });
});
afterAll(() => mesh.stop());

const live = 'service-discovery + circuit-breaker';

describe('1. normal operation', () => {
  test('every endpoint answers, from the live services', async () => {
    const users = await get(gateway('/users'));
    expect(users.status).toBe(200);
    expect(users.body.users[0]).toEqual({ id: 1, name: 'John Doe', email: 'john@example.com', age: 30 });
    expect(users.body.meta).toMatchObject({
      source: live,
      degraded: false,
      instance: mesh.instances('api-gateway')[0]?.instance,
    });
    expect(Date.parse(users.body.meta.timestamp)).not.toBeNaN();

    const combined = await get(gateway('/users-with-orders'));
    expect(combined.body.users[0]).toMatchObject({ id: 1, name: 'John Doe' });
    expect(combined.body.users[0].orders[0]).toMatchObject({
      id: 1,
      userId: 1,
      products: ['Product A', 'Product B'],
    });
    expect(combined.body.meta).toMatchObject({ totalUsers: 3, totalOrders: 3, source: live });
  });

  test('the answers come from different instances', async () => {
    const answers = await Promise.all(Array.from({ length: 30 }, () => get(gateway('/users'))));
    expect(new Set(answers.map(({ body }) => body.meta.upstream)).size).toBe(3);
  });

  test('both pages are there', async () => {
    for (const url of [gateway('/'), discovery('/')]) {
      const page = await get(url);
      expect(page.status).toBe(200);
      expect(page.headers.get('content-type')).toMatch(/text\/html/);
      expect(page.headers.get('content-security-policy')).toContain("default-src 'self'");
    }
  });
});

describe('2. individual endpoints', () => {
  test('the health of the gateway tells its registry and its cache', async () => {
    const { status, body } = await get(gateway('/health'));
    expect(status).toBe(200);
    expect(body).toMatchObject({
      service: 'api-gateway',
      status: 'healthy',
      port: Number(new URL(gateway('')).port),
      serviceDiscovery: { status: 'connected', server: mesh.url('discovery') },
      cache: { 'user-service': { cached: true, services: 3 } },
    });
    expect(body.cache['user-service'].ttl).toBeGreaterThan(0);
  });

  test('users can be created, read, changed and deleted through the gateway', async () => {
    const created = await call('POST', gateway('/api/users'), {
      name: 'Ada',
      email: 'Ada@example.com',
      age: 36,
    });
    expect(created.status).toBe(201);
    const path = `/api/users/${created.body.user.id}`;
    expect((await get(gateway(path))).body.user).toMatchObject({ name: 'Ada', email: 'ada@example.com' });
    expect(
      (await call('PUT', gateway(path), { name: 'Ada L', email: 'ada@example.com', age: 37 })).body.user.age,
    ).toBe(37);
    expect(
      (await call('POST', gateway('/api/users'), { name: 'A', email: 'ADA@example.com', age: 1 })).status,
    ).toBe(409);
    expect((await call('DELETE', gateway(path))).status).toBe(204);
    expect((await get(gateway(path))).status).toBe(404);
  });

  test('an order is created once for one idempotency key', async () => {
    const order = { userId: 3, products: ['Product E'] };
    const key = { 'idempotency-key': `key-${Date.now()}` };
    const first = await call('POST', gateway('/api/orders'), order, key);
    const again = await call('POST', gateway('/api/orders'), order, key);
    expect(first.status).toBe(201);
    expect(again.body.order.id).toBe(first.body.order.id);
    expect((await get(gateway('/orders/user/3'))).body.orders).toHaveLength(1);
  });

  test('every service of the mesh is behind /api/<service>', async () => {
    const answer = await get(gateway('/api/order-service/orders/1'));
    expect(answer.body.order).toMatchObject({ id: 1, userId: 1 });
    expect(answer.headers.get('x-instance')).toMatch(/^order-service-\d+$/);
  });

  test('one trace id runs from the caller to the service and back', async () => {
    const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
    const answer = await call('GET', gateway('/api/users/1'), undefined, {
      traceparent,
      'x-request-id': 'my-request',
    });
    expect(answer.headers.get('x-trace-id')).toBe('0af7651916cd43dd8448eb211c80319c');
    expect(answer.headers.get('x-request-id')).toBe('my-request');
  });
});

test('3. user id: each user has other orders', async () => {
  const products = async (userId: number): Promise<unknown> => {
    const { body } = await get(gateway(`/orders/user/${userId}`));
    expect(body.meta).toMatchObject({ userId, source: live });
    return body.orders.flatMap((order: { products: string[] }) => order.products);
  };
  expect(await products(1)).toEqual(['Product A', 'Product B', 'Product D']);
  expect(await products(2)).toEqual(['Product C']);
  expect(await products(777)).toEqual([]);
});

describe('4. circuit breaker activation: every user instance is killed', () => {
  test('after three failures the circuit opens, and the last good answer comes at once', async () => {
    await get(gateway('/users'));
    await mesh.stopService('user-service');
    for (let failure = 0; failure < 3; failure++) {
      const answer = await get(gateway('/users'));
      expect(answer.status).toBe(200);
      expect(answer.body.meta).toMatchObject({ source: 'stale-cache', degraded: true });
      expect(answer.body.users).toHaveLength(3);
    }
    const { body } = await get(gateway('/health'));
    expect(body.circuitBreakers['user-service'].status).toBe('OPEN');
    expect(body.status).toBe('degraded');
    const answer = await get(gateway('/users'));
    expect(answer.body.meta).toMatchObject({ source: 'stale-cache', reason: 'ERR_CIRCUIT_OPEN' });
    expect(answer.body.meta.ageMs).toBeGreaterThan(0);
  });

  test('with no good answer at hand the list is empty and says why', async () => {
    const { status, body } = await get(gateway('/users?limit=7'));
    expect(status).toBe(200);
    expect(body.users).toEqual([]);
    expect(body.meta).toMatchObject({ source: 'fallback', degraded: true });
    expect(body.meta.reason).toMatch(/^ERR_/);
  });

  test('orders stay, with a stand-in for each user that is not known', async () => {
    const { body } = await get(gateway('/users-with-orders?limit=9'));
    expect(body.meta.degraded).toBe(true);
    expect(body.users[0]).toMatchObject({ id: 1, name: 'Unknown (service unavailable)' });
    expect(body.users[0].orders.length).toBeGreaterThan(0);
  });

  test('a write gets no made-up answer', async () => {
    const answer = await call('POST', gateway('/api/users'), {
      name: 'Eve',
      email: 'eve@example.com',
      age: 20,
    });
    expect(answer.status).toBe(503);
    expect(answer.headers.get('content-type')).toMatch(/application\/problem\+json/);
    expect(Number(answer.headers.get('retry-after'))).toBeGreaterThanOrEqual(1);
    expect(answer.body).toMatchObject({ status: 503, code: expect.stringMatching(/^ERR_/) });
  });
});

test('6. recovery: restarted users come back by themselves', async () => {
  await mesh.startService('user-service');
  await eventually(async () => {
    expect((await get(gateway('/users'))).body.meta).toMatchObject({ source: live, degraded: false });
    expect((await get(gateway('/health'))).body.circuitBreakers['user-service'].status).toBe('CLOSED');
  });
  expect((await get(gateway('/users'))).body.users).toHaveLength(3);
});

describe('5. partial failure: every order instance is killed', () => {
  test('users go on; orders are the last good ones, or none', async () => {
    await get(gateway('/users-with-orders'));
    await mesh.stopService('order-service');
    const users = await get(gateway('/users'));
    expect(users.body.meta).toMatchObject({ source: live, degraded: false });

    const combined = await get(gateway('/users-with-orders'));
    expect(combined.body.users).toHaveLength(3);
    expect(combined.body.meta.parts).toMatchObject({
      users: { source: live },
      orders: { source: 'stale-cache', degraded: true },
    });

    const cold = await get(gateway('/users-with-orders?limit=2'));
    expect(cold.body.users).toHaveLength(2);
    expect(cold.body.users[0].orders).toEqual([]);
    expect(cold.body.meta).toMatchObject({ degraded: true, parts: { orders: { source: 'fallback' } } });
  });

  test('an order is not taken', async () => {
    const answer = await call('POST', gateway('/api/orders'), { userId: 1, products: ['X'] });
    expect(answer.status).toBe(503);
    expect(Number(answer.headers.get('retry-after'))).toBeGreaterThanOrEqual(1);
  });

  test('and they come back', async () => {
    await mesh.startService('order-service');
    await eventually(async () => {
      expect((await get(gateway('/orders/user/1'))).body.meta.source).toBe(live);
    });
  });
});

test('9. service discovery: the registry knows everybody, and counts', async () => {
  await eventually(async () => {
    const { body } = await get(discovery('/services'));
    const counts = Object.fromEntries(
      body.services.map((one: { name: string; instances: unknown[] }) => [one.name, one.instances.length]),
    );
    expect(counts).toEqual({ 'api-gateway': 1, 'order-service': 3, 'user-service': 3 });
  });
  const health = await get(discovery('/health'));
  expect(health.body).toMatchObject({ status: 'healthy', services: 3, instances: 7 });
  expect(health.body.uptime).toBeGreaterThan(0);
});
