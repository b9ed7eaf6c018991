/** The gateway as `npm start` runs it: the app with its hooks, log and composed routes. Only the registry is made up. */
import { identityOf, readConfig } from '@mesh/service-kit';
import type { AddressInfo } from 'node:net';
import { buildApp } from '../../../../apps/gateway/src/app.ts';
import { gatewayConfig } from '../../../../apps/gateway/src/config.ts';
import { contend } from './contend.mts';
import { registryOf } from './registry.mts';

await contend(async (origins) => {
  const registry = { ...registryOf(origins), status: 'connected', cache: () => [] };
  const app = await buildApp(readConfig(gatewayConfig, { LOG_LEVEL: 'info' }), {
    identity: identityOf('api-gateway', 8000),
    discovery: registry as unknown as Parameters<typeof buildApp>[1]['discovery'],
  });
  await app.listen({ port: 0, host: '127.0.0.1' });
  return { port: (app.server.address() as AddressInfo).port, base: '/api/item-service' };
});
