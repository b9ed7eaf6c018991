import { dashboard } from '@mesh/dashboard';
import {
  addOpenMetrics,
  discoveryServer,
  Liveness,
  openStore,
  Registry,
  registryHealth,
  RegistryMetrics,
  WatchHub,
} from '@mesh/discovery-server';
import { meshRoutes } from '@mesh/gateway';
import { healthServer } from '@mesh/health-server';
import { createServiceClient } from '@mesh/service-client';
import { createApp, guardOptions, type ServiceContext } from '@mesh/service-kit';
import type { FastifyInstance } from 'fastify';
import type { DiscoveryConfig } from './config.ts';
import { monitorOf } from './monitor.ts';
import { probeRegistered } from './probing.ts';

/** The registry with its page, `POST /invoke` over what it knows, and a monitor over all of it. */
export async function buildApp(
  config: DiscoveryConfig,
  { identity }: Pick<ServiceContext, 'identity'>,
): Promise<FastifyInstance> {
  const guard = guardOptions(config);
  const access = { tokens: config.REGISTRY_TOKENS };
  const registry = new Registry();
  const watchHub = new WatchHub(registry);
  // Whoever wants to be checked is, by the monitor: see `probeRegistered`.
  const liveness = new Liveness(registry, {
    paced: false,
    onProtection: (service, isActive) => {
      app.log.warn({ service: service ?? 'all', isActive }, 'protection');
    },
  });
  const store = openStore(config.REGISTRY_URL, (error) => {
    if (error === undefined) app.log.info('registrations are kept again');
    else app.log.warn({ err: error }, 'registrations are not kept');
  });
  const metrics = new RegistryMetrics(registry, { watchHub, liveness, store });
  const client = createServiceClient({ discovery: registry, strategy: 'round-robin' });
  const app = createApp({
    identity,
    config,
    health: (report) => ({ ...registryHealth(registry, watchHub, liveness), ...report }),
    openapi: { title: 'Service discovery', description: 'Who is alive, and where.' },
  });
  const monitor = monitorOf(config, app.log);
  const endProbing = probeRegistered(registry, liveness, monitor);
  // A registry without alerts is worth more than none.
  app.addHook('onReady', () =>
    monitor.start().catch((error: unknown) => {
      app.log.error({ err: error }, 'nothing is monitored: ALERT_FILE cannot be read');
    }),
  );
  app.addHook('onClose', async () => {
    endProbing();
    await monitor.close();
    liveness.close();
    metrics.close();
    await store?.close();
    registry.close();
    await client.close();
  });
  await store?.attach(registry);
  app.log.info({ services: registry.services().length, instances: registry.size }, 'restored');
  registry.subscribe((change) => {
    if (change.type === 'upsert') {
      const { id, status } = change.instance;
      app.log.info({ service: change.service, id, status }, 'listed');
    } else app.log.info({ service: change.service, id: change.id, reason: change.reason }, 'removed');
  });
  // Who died while there was no registry need not wait for its lease.
  void liveness.guardian.examine();
  addOpenMetrics(app, metrics, { guard, access });
  await app.register(discoveryServer, {
    registry,
    watchHub,
    liveness,
    guard,
    access,
    health: false,
    logLevel: 'warn',
    onAudit: (event) => {
      app.log.info(event, 'audit');
    },
  });
  await app.register(healthServer, { monitor, guard, logLevel: 'warn' });
  await app.register(meshRoutes, { client, guard });
  await app.register(dashboard, { folder: new URL('../page/', import.meta.url) });
  return app;
}
