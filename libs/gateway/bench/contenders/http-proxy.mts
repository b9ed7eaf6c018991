import { fastify, type FastifyPluginCallback } from 'fastify';
import type { AddressInfo } from 'node:net';
import { contend, inTurn, maxConnections } from './contend.mts';
import { peer } from './peer.mts';

await contend(async (origins) => {
  const app = fastify();
  const next = inTurn(origins);
  await app.register(peer('@fastify/http-proxy') as FastifyPluginCallback<Record<string, unknown>>, {
    upstream: '',
    websocket: true,
    undici: { connections: maxConnections },
    replyOptions: { getUpstream: next },
  });
  await app.listen({ port: 0, host: '127.0.0.1' });
  return { port: (app.server.address() as AddressInfo).port };
});
