import { dashboard } from '@mesh/dashboard';
import {
  cacheRoutes,
  createGateway,
  gatewayHealth,
  inspectRoutes,
  meshRoutes,
  RouteMetrics,
  TraceLog,
  Upstream,
} from '@mesh/gateway';
import { createServiceClient } from '@mesh/service-client';
import { createApp, guardOptions, type ServiceContext } from '@mesh/service-kit';
import type { FastifyInstance } from 'fastify';
import type { GatewayConfig } from './config.ts';
import { candidates } from './candidates.ts';
import { monitorOf } from './monitor.ts';
import { policiesOf } from './policies.ts';
import { followRoutes, readRoutesFile } from './routes-file.ts';
import { routes } from './routes.ts';
import { shopRoutes } from './routes/shop.ts';
import { Shop } from './shop.ts';

/** What the gateway is built with, beside what every service is. */
export interface GatewayContext extends ServiceContext {
  /** Tells the gateway when its file of routes is to be read again, beside every change of it. Default: never. */
  readonly onReload?: (reload: () => void) => void;
}

/** The API gateway, ready to listen. */
export async function buildApp(
  config: GatewayConfig,
  { identity, discovery, siblings, onReload }: Omit<GatewayContext, 'siblings'> & Partial<GatewayContext>,
): Promise<FastifyInstance> {
  const monitor = monitorOf(config, () => app.log);
  const circuitBreaker = {
    maximumFailuresAllowed: config.CIRCUIT_MAXIMUM_FAILURES,
    timeWindowInMilliseconds: config.CIRCUIT_TIME_WINDOW_MS,
    resetTimeoutInMilliseconds: config.CIRCUIT_RESET_TIMEOUT_MS,
  };
  const client = createServiceClient({
    discovery,
    circuitBreaker,
    strategy: config.LOAD_BALANCING,
    attemptTimeoutMs: config.ATTEMPT_TIMEOUT_MS,
    // A 503 of the only instance is the answer; it is not asked again while others wait for it.
    retry: { elsewhereOnly: true },
    observer: {
      attemptEnded: ({ service, instance, outcome, latencyMs }) => {
        if (outcome !== 'ignored')
          monitor?.record({ service, instance, ok: outcome === 'success', latencyMs });
      },
    },
  });
  const upstreams = {
    users: new Upstream({ service: 'user-service', circuitBreaker }),
    orders: new Upstream({ service: 'order-service', circuitBreaker }),
  };
  const view = {
    identity,
    port: config.PORT,
    discovery,
    server: config.DISCOVERY_URL,
    upstreams: Object.values(upstreams),
    client,
  };

  const app = createApp({
    identity,
    config,
    // Uploads may take their time: the engine minds how slowly a body comes.
    limits: { requestTimeoutMs: 0 },
    health: (report) =>
      report.status === 'healthy'
        ? {
            ...gatewayHealth({ ...view, overload: policies.overload, responseCache: policies.cache }),
            monitor: monitor?.getSnapshot(),
          }
        : report,
    openapi: { title: 'API gateway', description: 'The one door of the mesh.' },
  });
  // Only who really serves asks the monitor; a test that injects does not.
  app.addHook('onListen', (listening) => {
    monitor?.start();
    listening();
  });
  app.addHook('onClose', async () => {
    monitor?.close();
    await client.close();
  });
  const policies = await policiesOf(config, app);
  const guard = guardOptions(config);
  await app.register(dashboard, { folder: new URL('../page/', import.meta.url) });
  const { cache, overload } = policies;
  const observers = { metrics: new RouteMetrics(), traces: new TraceLog() };
  await app.register(shopRoutes, {
    ...{ shop: new Shop(client, upstreams), instance: identity.instance },
    traces: observers.traces,
  });
  await app.register(meshRoutes, {
    ...{ client, guard, overload, cache, ...observers },
    upstreams: Object.values(upstreams),
    ...(siblings && { siblings }),
  });
  const file = await readRoutesFile(config.GATEWAY_ROUTES);
  const gateway = createGateway({
    client,
    ...(file ?? { routes }),
    policies: policies.routes,
    observers,
    ...(config.TRUSTED_PROXIES && { trustedProxies: config.TRUSTED_PROXIES }),
    bodyLimitBytes: config.BODY_LIMIT,
    tunnelCloseMs: config.STREAM_CLOSE_MS,
    instances: (service) => candidates(service, discovery, client),
    onRollback: (route, rolledBack) => {
      app.log.warn({ route, ...rolledBack }, 'a branch fails and was turned off');
    },
  });
  await app.register(inspectRoutes, { gateway, guard });
  await app.register(cacheRoutes, { cache, guard });
  await app.register(gateway.plugin);
  if (file !== undefined) followRoutes(app, gateway, file, onReload);
  return app;
}
