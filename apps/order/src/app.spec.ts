import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { identityOf, readConfig } from '@mesh/service-kit';
import type { FastifyInstance } from 'fastify';
import { buildApp } from './app.ts';
import { orderConfig } from './config.ts';

let app: FastifyInstance;

beforeEach(async () => {
  const config = readConfig(orderConfig, { DATABASE_URL: 'sqlite::memory:', LOG_LEVEL: 'silent' });
  app = await buildApp(config, { identity: identityOf('order-service', 5000) });
});
afterEach(() => app.close());

const order = { userId: 3, products: ['Product E'] };
const post = (payload: object, headers: Record<string, string> = {}) =>
  app.inject({ method: 'POST', url: '/orders', payload, headers });

test('an order is created pending, and read alone, by user and by users', async () => {
  const created = await post(order);
  expect([created.statusCode, created.headers.location]).toEqual([201, '/orders/4']);
  expect(created.json()).toMatchObject({
    order: { id: 4, ...order, status: 'pending' },
    meta: { instance: 'order-service-5000' },
  });
  expect((await app.inject('/api/orders/4')).json()).toMatchObject({ order: { id: 4, ...order } });
  expect((await app.inject('/orders/user/3')).json()).toMatchObject({
    orders: [{ id: 4 }],
    meta: { userId: 3, total: 1 },
  });
  expect((await app.inject('/orders?userIds=2,3')).json()).toMatchObject({
    orders: [{ id: 2 }, { id: 4 }],
    meta: { total: 2 },
  });
});

test('one idempotency key makes one order', async () => {
  const key = { 'idempotency-key': 'k-1' };
  const first = await post(order, key);
  const again = await post(order, key);
  expect(again.json()).toEqual(first.json());
  const other = await post({ ...order, userId: 1 }, key);
  expect(other.json()).toMatchObject({ status: 422, code: 'ERR_IDEMPOTENCY_KEY_REUSED' });
  expect((await app.inject('/orders')).json()).toMatchObject({ meta: { total: 4 } });
});

test('an unknown order is a clear 404', async () => {
  expect((await app.inject('/orders/99')).json()).toMatchObject({ status: 404, code: 'ERR_ORDER_UNKNOWN' });
});

test('orders of 200 users can be asked for at once, whatever their ids', async () => {
  const userIds = Array.from({ length: 200 }, (_, index) => 2 ** 31 - 1 - index).join(',');
  const answer = await app.inject(`/orders?userIds=${userIds}`);
  expect([answer.statusCode, answer.json()]).toMatchObject([200, { orders: [], meta: { total: 0 } }]);
});
