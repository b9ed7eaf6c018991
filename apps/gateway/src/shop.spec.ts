import { expect, test } from '@jest/globals';
import { Upstream } from '@mesh/gateway';
import type { ServiceClient } from '@mesh/service-client';
import { startTrace } from '@mesh/trace-context';
import { Shop } from './shop.ts';

const people = [
  { id: 1, name: 'John', email: 'john@example.com', age: 30 },
  { id: 2, name: 'Jane', email: 'jane@example.com', age: 25 },
];
const orders = [
  { id: 10, userId: 1, products: ['A'] },
  { id: 11, userId: 2, products: ['B'] },
  { id: 12, userId: 1, products: ['C'] },
];
const paging = { limit: 100, offset: 0 };

/** A shop over answers by path; a path without an answer is a service that is down. */
function shop(answers: Record<string, unknown>): {
  shop: Shop;
  asked: string[];
  answers: Record<string, unknown>;
} {
  const asked: string[] = [];
  const json = ({ path }: { path: string }) => {
    asked.push(path);
    const data = answers[path];
    if (data === undefined) return Promise.reject(new Error('down'));
    return Promise.resolve({ data, instance: 'an-instance', attempts: 1, status: 200 });
  };
  const upstreams = {
    users: new Upstream({ service: 'user-service' }),
    orders: new Upstream({ service: 'order-service' }),
  };
  return { shop: new Shop({ json } as unknown as ServiceClient, upstreams), asked, answers };
}

const allUsers = '/users?limit=100&offset=0';
const theirOrders = '/orders?userIds=1,2&limit=1000';

test('users with orders takes two requests, however many users', async () => {
  const one = shop({ [allUsers]: { users: people }, [theirOrders]: { orders } });
  const combined = await one.shop.usersWithOrders(paging, startTrace());
  expect(combined.users.map(({ id, orders }) => [id, orders.map((order) => order.id)])).toEqual([
    [1, [10, 12]],
    [2, [11]],
  ]);
  expect(combined.orderCount).toBe(3);
  expect(one.asked).toEqual([allUsers, theirOrders]);
});

test('without orders the users stay', async () => {
  const { users, parts } = await shop({ [allUsers]: { users: people } }).shop.usersWithOrders(
    paging,
    startTrace(),
  );
  expect(users.map(({ orders }) => orders)).toEqual([[], []]);
  expect(parts.users.degraded).toBe(false);
  expect(parts.orders).toMatchObject({ source: 'fallback', degraded: true });
});

test('without users the orders tell who there must be', async () => {
  const { users, parts } = await shop({ '/orders?limit=1000': { orders } }).shop.usersWithOrders(
    paging,
    startTrace(),
  );
  expect(users).toEqual([
    { id: 1, name: 'Unknown (service unavailable)', email: null, age: null, orders: [orders[0], orders[2]] },
    { id: 2, name: 'Unknown (service unavailable)', email: null, age: null, orders: [orders[1]] },
  ]);
  expect(parts.users).toMatchObject({ source: 'fallback', degraded: true });
});

test('users that were seen before are remembered', async () => {
  const one = shop({ [allUsers]: { users: people }, [theirOrders]: { orders } });
  await one.shop.usersWithOrders(paging, startTrace());
  one.answers[allUsers] = undefined;
  const { users, parts } = await one.shop.usersWithOrders(paging, startTrace());
  expect(users[0]).toMatchObject({ name: 'John', orders: [{ id: 10 }, { id: 12 }] });
  expect(parts.users.source).toBe('stale-cache');
});

test('orders beyond the first thousand are counted', async () => {
  const page = { orders, meta: { total: 1500 } };
  const { orderCount } = await shop({
    [allUsers]: { users: people },
    [theirOrders]: page,
  }).shop.usersWithOrders(paging, startTrace());
  expect(orderCount).toBe(1500);
});

test('no users, no question about their orders', async () => {
  const one = shop({ [allUsers]: { users: [] } });
  const { users, parts } = await one.shop.usersWithOrders(paging, startTrace());
  expect([users, one.asked]).toEqual([[], [allUsers]]);
  // Nobody was asked for them, so nobody is named.
  expect(parts.orders).toEqual({ data: { orders: [] }, source: parts.users.source, degraded: false });
});

test('a client that goes away ends the questions that were asked for it', async () => {
  const controller = new AbortController();
  const signals: (AbortSignal | undefined)[] = [];
  const json = ({ signal }: { signal?: AbortSignal }) => {
    signals.push(signal);
    return new Promise((_resolve, reject) => {
      signal?.addEventListener('abort', () => {
        reject(signal.reason as Error);
      });
    });
  };
  const users = new Upstream({ service: 'user-service' });
  const orders = new Upstream({ service: 'order-service' });
  const gone = new Shop({ json } as unknown as ServiceClient, { users, orders }).usersWithOrders(
    paging,
    startTrace(),
    controller.signal,
  );
  setImmediate(() => {
    controller.abort();
  });
  await expect(gone).rejects.toMatchObject({ name: 'AbortError' });
  expect(signals.map((signal) => signal?.aborted)).toEqual([true]);
  expect(users.circuit.getSnapshot().totals).toMatchObject({ failure: 0, ignored: 1 });
});
