import { goneSignal, observeRoutes, type Answer, type TraceLog } from '@mesh/gateway';
import type { FastifyInstance } from 'fastify';
import type { ZodTypeProvider } from 'fastify-type-provider-zod';
import { z } from 'zod';
import type { Combined, Shop } from '../shop.ts';

const maxId = 2 ** 31 - 1;
const id = z.coerce.number<string>().int().min(1).max(maxId);
const offset = z.coerce.number<string>().int().min(0).max(1e9).default(0);
const querystring = z.strictObject({
  limit: z.coerce.number<string>().int().min(1).max(200).default(100),
  offset,
});
const ofUser = {
  params: z.strictObject({ userId: id }),
  querystring: z.strictObject({
    limit: z.coerce.number<string>().int().min(1).max(1000).default(200),
    offset,
  }),
};

export interface ShopRoutesOptions {
  readonly shop: Shop;
  readonly instance: string;
  /** Where the last exchanges are noted. */
  readonly traces: TraceLog;
}

/** The composed endpoints: every answer says where it came from, and a degraded one says why. */
export function shopRoutes(
  app: FastifyInstance,
  { shop, instance, traces }: ShopRoutesOptions,
  done: () => void,
): void {
  observeRoutes(app, { traces });
  const routes = app.withTypeProvider<ZodTypeProvider>();
  const tags = ['shop'];
  const meta = (answer: Answer<unknown>) => ({
    ...origin(answer),
    instance,
    timestamp: new Date().toISOString(),
  });

  routes.get('/users', { schema: { tags, querystring } }, async ({ query, trace }, reply) => {
    const answer = await shop.users(query, trace, goneSignal(reply));
    const { users, meta: page } = answer.data;
    return { users, meta: { total: page?.total, ...meta(answer) } };
  });

  routes.get(
    '/orders/user/:userId',
    { schema: { tags, ...ofUser } },
    async ({ params: { userId }, query, trace }, reply) => {
      const answer = await shop.ordersOf(userId, query, trace, goneSignal(reply));
      const { orders, meta: page } = answer.data;
      return { orders, meta: { userId, total: page?.total, ...meta(answer) } };
    },
  );

  routes.get('/users-with-orders', { schema: { tags, querystring } }, async ({ query, trace }, reply) => {
    const signal = goneSignal(reply);
    const { users, orderCount, parts } = await shop.usersWithOrders(query, trace, signal);
    const totals = { totalUsers: users.length, totalOrders: orderCount };
    return {
      users,
      meta: { ...totals, ...combinedOrigin(parts), instance, timestamp: new Date().toISOString() },
    };
  });

  done();
}

function origin({ source, degraded, upstream, reason, ageMs }: Answer<unknown>) {
  return {
    source,
    degraded,
    ...(upstream !== undefined && { upstream }),
    ...(reason !== undefined && { reason }),
    ...(ageMs !== undefined && { ageMs }),
  };
}

/** The worse of the two parts speaks for the whole; both are told apart in `parts`. */
function combinedOrigin({ users, orders }: Combined['parts']) {
  const worse = badness(orders) > badness(users) ? orders : users;
  const upstream = [users.upstream, orders.upstream].filter((instance) => instance !== undefined);
  return { ...origin(worse), upstream, parts: { users: origin(users), orders: origin(orders) } };
}

/** Live before remembered, young before old, and nothing at all last. */
function badness({ source, ageMs = -1 }: Answer<unknown>): number {
  return source === 'fallback' ? Infinity : ageMs;
}
