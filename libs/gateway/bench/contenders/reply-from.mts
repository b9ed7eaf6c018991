import { fastify, type FastifyPluginCallback, type FastifyReply } from 'fastify';
import type { AddressInfo } from 'node:net';
import { contend, maxConnections } from './contend.mts';
import { peer } from './peer.mts';

type From = FastifyReply & { from(path: string): FastifyReply };

/** It knows one upstream. */
await contend(async ([base]) => {
  const app = fastify();
  // Bodies pass as they come, as its README says.
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', (_request, payload, parsed) => {
    parsed(null, payload);
  });
  await app.register(peer('@fastify/reply-from') as FastifyPluginCallback<Record<string, unknown>>, {
    base,
    undici: { connections: maxConnections },
  });
  app.all('/*', (request, reply) => (reply as From).from(request.raw.url ?? '/'));
  await app.listen({ port: 0, host: '127.0.0.1' });
  return { port: (app.server.address() as AddressInfo).port };
});
