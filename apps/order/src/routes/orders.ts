import type { FastifyInstance } from 'fastify';
import type { ZodTypeProvider } from 'fastify-type-provider-zod';
import { z } from 'zod';
import type { Orders } from '../orders.ts';

const maxId = 2 ** 31 - 1;
const newOrder = z.strictObject({
  userId: z.int().min(1).max(maxId),
  products: z.array(z.string().trim().min(1).max(200)).min(1).max(100),
});
const order = z.object({
  id: z.int(),
  userId: z.int(),
  products: z.array(z.string()).readonly(),
  status: z.string(),
  createdAt: z.string(),
});
const meta = z.object({ instance: z.string() });
const one = z.object({ order, meta });
const page = z.object({
  orders: z.array(order),
  meta: meta.extend({ total: z.int(), limit: z.int(), offset: z.int(), userId: z.int().optional() }),
});

const id = z.coerce.number<string>().int().min(1).max(maxId);
const paging = {
  limit: z.coerce.number<string>().int().min(1).max(1000).default(200),
  offset: z.coerce.number<string>().int().min(0).max(1e9).default(0),
};
const userIds = z
  .string()
  .max(2200)
  .transform((list) => list.split(','))
  .pipe(z.array(id).max(200));
const idempotencyKey = z.string().min(1).max(255);

export interface OrderRoutesOptions {
  readonly orders: Orders;
  readonly instance: string;
}

/** `GET /?userIds=`, `GET /user/:userId`, `GET /:id`, `POST /` (honours Idempotency-Key). */
export function orderRoutes(
  app: FastifyInstance,
  { orders, instance }: OrderRoutesOptions,
  done: () => void,
): void {
  const routes = app.withTypeProvider<ZodTypeProvider>();
  const meta = { instance };
  const tags = ['orders'];

  const querystring = z.strictObject({ userIds: userIds.optional(), ...paging });
  routes.get('/', { schema: { tags, querystring, response: { 200: page } } }, async ({ query }) => {
    const { limit, offset } = query;
    const found = await orders.list(query);
    return { orders: found.orders, meta: { ...meta, total: found.total, limit, offset } };
  });

  const ofUser = { params: z.strictObject({ userId: id }), querystring: z.strictObject(paging) };
  routes.get(
    '/user/:userId',
    { schema: { tags, ...ofUser, response: { 200: page } } },
    async ({ params, query }) => {
      const found = await orders.list({ ...query, userIds: [params.userId] });
      return { orders: found.orders, meta: { ...meta, ...query, total: found.total, userId: params.userId } };
    },
  );

  const params = z.strictObject({ id });
  routes.get('/:id', { schema: { tags, params, response: { 200: one } } }, async ({ params }) => ({
    order: await orders.get(params.id),
    meta,
  }));

  const headers = z.object({ 'idempotency-key': idempotencyKey.optional() });
  routes.post(
    '/',
    { schema: { tags, headers, body: newOrder, response: { 201: one } } },
    async (request, reply) => {
      const created = await orders.create(request.body, request.headers['idempotency-key']);
      void reply.code(201).header('location', `${request.url.replace(/\/?(\?.*)?$/, '')}/${created.id}`);
      return { order: created, meta };
    },
  );

  done();
}
