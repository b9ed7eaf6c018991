/** The gateway as `npm start` runs it: the app with its hooks, log and composed routes. Only the registry is made up. */
import { identityOf, readConfig } from '@mesh/service-kit';
import type { FastifyInstance } from 'fastify';
import type { AddressInfo } from 'node:net';
import { contend } from './contend.mts';
import { registryOf } from './registry.mts';

/** By its path: no lib knows an app, a bench may run one. */
const app = new URL('../../../../apps/gateway/src/', import.meta.url).href;
const { buildApp } = (await import(`${app}app.ts`)) as {
  buildApp: (config: unknown, context: unknown) => Promise<FastifyInstance>;
};
const { gatewayConfig } = (await import(`${app}config.ts`)) as {
  gatewayConfig: Parameters<typeof readConfig>[0];
};

await contend(async (origins) => {
  const registry = { ...registryOf(origins), status: 'connected', cache: () => [] };
  const gateway = await buildApp(readConfig(gatewayConfig, { LOG_LEVEL: 'info' }), {
    identity: identityOf('api-gateway', 8000),
    discovery: registry,
  });
  await gateway.listen({ port: 0, host: '127.0.0.1' });
  return { port: (gateway.server.address() as AddressInfo).port, base: '/api/item-service' };
});
