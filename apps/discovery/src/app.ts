import { dashboard } from '@mesh/dashboard';
import { discoveryServer, Registry, registryHealth, WatchHub } from '@mesh/discovery-server';
import { meshRoutes } from '@mesh/gateway';
import { followRegistry, healthServer } from '@mesh/health-server';
import { createServiceClient } from '@mesh/service-client';
import { createApp, guardOptions, type ServiceContext } from '@mesh/service-kit';
import type { FastifyInstance } from 'fastify';
import type { DiscoveryConfig } from './config.ts';
import { monitorOf } from './monitor.ts';

/** The registry with its page, `POST /invoke` over what it knows, and a monitor over all of it. */
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
  const monitor = monitorOf(config, app.log);
  const unfollow = followRegistry(monitor, registry);
  // A registry without alerts is worth more than none.
  app.addHook('onReady', () =>
    monitor.start().catch((error: unknown) => {
      app.log.error({ err: error }, 'nothing is monitored: ALERT_FILE cannot be read');
    }),
  );
  app.addHook('onClose', async () => {
    unfollow();
    await monitor.close();
    registry.close();
    await client.close();
  });
  await app.register(discoveryServer, { registry, watchHub, guard, health: false, logLevel: 'warn' });
  await app.register(healthServer, { monitor, guard, logLevel: 'warn' });
  await app.register(meshRoutes, { client, guard });
  await app.register(dashboard, { folder: new URL('../page/', import.meta.url) });
  return app;
}
