import { openDatabase } from '@mesh/database';
import { createApp, type ServiceContext } from '@mesh/service-kit';
import type { FastifyInstance } from 'fastify';
import type { UserConfig } from './config.ts';
import { migrations, type UserSchema } from './migrations.ts';
import { userRoutes } from './routes/users.ts';
import { Users } from './users.ts';

/** The user service, ready to listen. `/api/users` is the same resource under the path that seeds and gateways use. */
export async function buildApp(
  config: UserConfig,
  { identity }: Pick<ServiceContext, 'identity'>,
): Promise<FastifyInstance> {
  const database = await openDatabase<UserSchema>({ url: config.DATABASE_URL, migrations });
  const app = createApp({
    identity,
    config,
    checks: { database: () => database.check() },
    openapi: { title: 'User service', description: 'People: create, read, update, delete.' },
  });
  app.addHook('onClose', () => database.close());
  const options = { users: new Users(database.db), instance: identity.instance };
  await app.register(userRoutes, { ...options, prefix: '/users' });
  await app.register(userRoutes, { ...options, prefix: '/api/users' });
  return app;
}
