import { dashboard } from '@mesh/dashboard';
import { gatewayHealth, meshRoutes, proxyRoutes, Upstream } from '@mesh/gateway';
import { createServiceClient } from '@mesh/service-client';
import { createApp, guardOptions, type ServiceContext } from '@mesh/service-kit';
import type { FastifyInstance } from 'fastify';
import type { GatewayConfig } from './config.ts';
import { shopRoutes } from './routes/shop.ts';
import { Shop } from './shop.ts';

/**
 * Where the paths of the shop's API lead. They are not rewritten: then a `Location` of the service is true here as well.
 * Any other service of the mesh is at `/api/<service>/*`.
 */
const routes = [
  { prefix: '/api/users', service: 'user-service' },
  { prefix: '/api/orders', service: 'order-service' },
];

/** The API gateway, ready to listen. */
export async function buildApp(
  config: GatewayConfig,
  { identity, discovery, siblings }: Omit<ServiceContext, 'siblings'> & Partial<ServiceContext>,
): Promise<FastifyInstance> {
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
    health: (report) => (report.status === 'healthy' ? gatewayHealth(view) : report),
    openapi: { title: 'API gateway', description: 'The one door of the mesh.' },
  });
  app.addHook('onClose', () => client.close());
  await app.register(dashboard, { folder: new URL('../page/', import.meta.url) });
  await app.register(shopRoutes, { shop: new Shop(client, upstreams), instance: identity.instance });
  await app.register(meshRoutes, {
    client,
    upstreams: Object.values(upstreams),
    guard: guardOptions(config),
    ...(siblings && { siblings }),
  });
  await app.register(proxyRoutes, {
    client,
    routes,
    dynamicPrefix: '/api',
    bodyLimit: config.BODY_LIMIT,
  });
  return app;
}
