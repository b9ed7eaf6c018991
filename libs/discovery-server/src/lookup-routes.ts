import type { FastifyReply, FastifyRequest } from 'fastify';
import { entityTag, matchesTag } from './entity-tag.ts';
import type { Registry } from './registry.ts';
import { RegistryError } from './registry-error.ts';
import { noQuery, serviceAnswer, serviceParams, servicesAnswer } from './schemas.ts';
import type { TypedApp } from './typed-app.ts';

/** `GET /services` and `GET /services/:name`. */
export function lookupRoutes(app: TypedApp, registry: Registry): void {
  app.get(
    '/services',
    {
      exposeHeadRoute: true,
      schema: { summary: 'All services', querystring: noQuery, response: { 200: servicesAnswer } },
    },
    (request, reply) => {
      const { revision } = registry;
      if (answersUnchanged(request, reply, revision)) return;
      const services = registry.list().map(({ name, instances }) => ({ name, instances }));
      return { services, revision };
    },
  );

  app.get(
    '/services/:name',
    {
      exposeHeadRoute: true,
      schema: {
        summary: 'The instances of one service',
        params: serviceParams,
        querystring: noQuery,
        response: { 200: serviceAnswer },
      },
    },
    (request, reply) => {
      const { name } = request.params;
      const revision = registry.revisionOf(name);
      if (revision !== undefined && answersUnchanged(request, reply, revision)) return;
      const service = registry.find(name);
      if (service !== undefined) return service;
      throw new RegistryError('ERR_SERVICE_UNKNOWN', `no instance of ${name} is registered`);
    },
  );
}

/** Sets the validators of the answer; sends 304 and answers true when the caller has it already. */
function answersUnchanged(request: FastifyRequest, reply: FastifyReply, revision: string): boolean {
  const tag = entityTag(revision);
  reply.header('etag', tag).header('cache-control', 'no-cache');
  if (!matchesTag(request.headers['if-none-match'], tag)) return false;
  void reply.code(304).send();
  return true;
}
