import type { FastifyInstance } from 'fastify';
import type { ZodTypeProvider } from 'fastify-type-provider-zod';
import { z } from 'zod';
import type { Users } from '../users.ts';

const newUser = z.strictObject({
  name: z.string().trim().min(1).max(200),
  email: z.email().max(254),
  age: z.int().min(0).max(150),
});
const changes = z.strictObject(newUser.partial().shape);
const user = z.object({ id: z.int(), name: z.string(), email: z.string(), age: z.int() });
const meta = z.object({ instance: z.string() });
const one = z.object({ user, meta });
const page = z.object({
  users: z.array(user),
  meta: meta.extend({ total: z.int(), limit: z.int(), offset: z.int() }),
});

const id = z.coerce
  .number<string>()
  .int()
  .min(1)
  .max(2 ** 31 - 1);
const params = z.strictObject({ id });
const ids = z
  .string()
  .max(2200)
  .transform((list) => list.split(','))
  .pipe(z.array(id).max(200));
const query = z.strictObject({
  ids: ids.optional(),
  limit: z.coerce.number<string>().int().min(1).max(200).default(100),
  offset: z.coerce.number<string>().int().min(0).max(1e9).default(0),
});

export interface UserRoutesOptions {
  readonly users: Users;
  readonly instance: string;
}

/** `GET /`, `POST /`, `GET|PUT|PATCH|DELETE /:id`. */
export function userRoutes(
  app: FastifyInstance,
  { users, instance }: UserRoutesOptions,
  done: () => void,
): void {
  const routes = app.withTypeProvider<ZodTypeProvider>();
  const meta = { instance };
  const tags = ['users'];

  routes.get('/', { schema: { tags, querystring: query, response: { 200: page } } }, async ({ query }) => {
    const found = await users.list(query);
    return {
      users: found.users,
      meta: { ...meta, total: found.total, limit: query.limit, offset: query.offset },
    };
  });

  routes.get('/:id', { schema: { tags, params, response: { 200: one } } }, async ({ params }) => ({
    user: await users.get(params.id),
    meta,
  }));

  routes.post(
    '/',
    { schema: { tags, body: newUser, response: { 201: one } } },
    async ({ body, url }, reply) => {
      const created = await users.create(body);
      void reply.code(201).header('location', `${url.replace(/\/?(\?.*)?$/, '')}/${created.id}`);
      return { user: created, meta };
    },
  );

  routes.put(
    '/:id',
    { schema: { tags, params, body: newUser, response: { 200: one } } },
    async ({ params, body }) => ({
      user: await users.update(params.id, body),
      meta,
    }),
  );

  routes.patch(
    '/:id',
    { schema: { tags, params, body: changes, response: { 200: one } } },
    async ({ params, body }) => ({
      user: await users.update(params.id, body as Parameters<Users['update']>[1]),
      meta,
    }),
  );

  routes.delete('/:id', { schema: { tags, params } }, async ({ params }, reply) => {
    await users.remove(params.id);
    return reply.code(204).send();
  });

  done();
}
