/** Ours with everything on: discovery, adaptive balancing, a breaker for each instance, retry, trace. */
import { createServiceClient } from '@mesh/service-client';
import { fastify } from 'fastify';
import type { AddressInfo } from 'node:net';
import { proxyRoutes } from '../../src/index.ts';
import { contend } from './contend.mts';
import { registryOf } from './registry.mts';

await contend(async (origins) => {
  const client = createServiceClient({ discovery: registryOf(origins) });
  const app = fastify();
  await app.register(proxyRoutes, { client, routes: [{ prefix: '/items', service: 'item-service' }] });
  await app.listen({ port: 0, host: '127.0.0.1' });
  return { port: (app.server.address() as AddressInfo).port };
});
