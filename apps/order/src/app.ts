import { openDatabase } from '@mesh/database';
import { createApp, type ServiceContext } from '@mesh/service-kit';
import type { FastifyInstance } from 'fastify';
import type { OrderConfig } from './config.ts';
import { migrations, type OrderSchema } from './migrations.ts';
import { Orders } from './orders.ts';
import { orderRoutes } from './routes/orders.ts';

/** The order service, ready to listen. `/api/orders` is the same resource under the path that seeds and gateways use. */
export async function buildApp(
  config: OrderConfig,
  { identity }: Pick<ServiceContext, 'identity'>,
): Promise<FastifyInstance> {
  const database = await openDatabase<OrderSchema>({ url: config.DATABASE_URL, migrations });
  const app = createApp({
    identity,
    config,
    checks: { database: () => database.check() },
    openapi: { title: 'Order service', description: 'Orders: create and read.' },
  });
  app.addHook('onClose', () => database.close());
  const options = { orders: new Orders(database.db), instance: identity.instance };
  await app.register(orderRoutes, { ...options, prefix: '/orders' });
  await app.register(orderRoutes, { ...options, prefix: '/api/orders' });
  return app;
}
