/**
 * Ours with everything on: discovery, adaptive balancing, a breaker for each instance, retry, trace; protection from overload, a rate
 * limit, metrics and the last traces. `/items/cached` is answered from the response cache.
 */
import { createServiceClient } from '@mesh/service-client';
import { fastify } from 'fastify';
import type { AddressInfo } from 'node:net';
import { createGateway, Overload, ResponseCache, RouteMetrics, TraceLog } from '../../src/index.ts';
import { rateLimit } from '../../src/limits/rate-limit.ts';
import { contend } from './contend.mts';
import { registryOf } from './registry.mts';

const plenty = { limits: [{ limit: 1_000_000_000, by: 'address' as const }] };

await contend(async (origins) => {
  const gateway = createGateway({
    client: createServiceClient({ discovery: registryOf(origins) }),
    routes: {
      defaults: { rateLimit: plenty },
      routes: [
        { match: { prefix: '/items' }, service: 'item-service' },
        { match: { path: '/items/cached' }, service: 'item-service', cache: { ttlMs: 3_600_000 } },
      ],
    },
    policies: {
      overload: new Overload({ maxInFlight: 10_000 }),
      rateLimit: () => rateLimit({ rules: plenty }),
      cache: new ResponseCache(),
    },
    observers: { metrics: new RouteMetrics(), traces: new TraceLog() },
  });
  const app = fastify({ http: { optimizeEmptyRequests: true } });
  await app.register(gateway.plugin);
  await app.listen({ port: 0, host: '127.0.0.1' });
  return { port: (app.server.address() as AddressInfo).port, cached: '/items/cached' };
});
