import { dashboard } from '@mesh/dashboard';
import { discoveryServer, Registry, registryHealth, WatchHub } from '@mesh/discovery-server';
import { meshRoutes } from '@mesh/gateway';
import { createServiceClient } from '@mesh/service-client';
import { createApp, guardOptions, type ServiceContext } from '@mesh/service-kit';
import type { FastifyInstance } from 'fastify';
import type { DiscoveryConfig } from './config.ts';

/** The registry with its page, and `POST /invoke` over what it knows. */
export async function buildApp(
  config: DiscoveryConfig,
  { identity }: Pick<ServiceContext, 'identity'>,
): Promise<FastifyInstance> {
  const guard = guardOptions(config);
  const registry = new Registry();
  const watchHub = new WatchHub(registry);
  const client = createServiceClient({ discovery: registry, strategy: 'round-robin' });
  const app = createApp({
    identity,
    config,
    health: (report) => ({ ...registryHealth(registry, watchHub), ...report }),
    openapi: { title: 'Service discovery', description: 'Who is alive, and where.' },
  });
  registry.subscribe((change) => {
    if (change.type === 'upsert') app.log.info({ id: change.instance.id }, 'listed');
    else app.log.info({ id: change.id, reason: change.reason }, 'removed');
  });
  app.addHook('onClose', async () => {
    registry.close();
    await client.close();
  });
  await app.register(discoveryServer, { registry, watchHub, guard, health: false, logLevel: 'warn' });
  await app.register(meshRoutes, { client, guard });
  await app.register(dashboard, { folder: new URL('../page/', import.meta.url) });
  return app;
}
