import type { FastifyRequest } from 'fastify';
import { bodyLimit } from './control-routes.ts';
import type { Gate } from './gate.ts';
import type { Override } from './instance-record.ts';
import type { OverrideChange } from './overrides.ts';
import type { Registry } from './registry.ts';
import { RegistryError } from './registry-error.ts';
import * as schema from './schemas.ts';
import { serviceKey } from './service-key.ts';
import type { TypedApp } from './typed-app.ts';

interface Target {
  readonly name: string;
  readonly id: string;
}

/** What is decided about an instance: drain, status and weight. */
export function overrideRoutes(app: TypedApp, registry: Registry, gate: Gate): void {
  const base = '/services/:name/:id';
  const params = schema.overrideParams;
  const response = { 200: schema.overrideAnswer };

  const decide = (
    request: FastifyRequest,
    { name, id }: Target,
    namespace: string | undefined,
    change: OverrideChange,
  ): Target & { override: Override } => {
    const service = serviceKey({ name, namespace });
    const override = registry.override(service, id, change);
    const action = change.weight === undefined ? 'status' : 'weight';
    gate.audit(request, action, `${service}/${id}`, JSON.stringify(change));
    return { name, id, override };
  };

  app.put(
    `${base}/status`,
    {
      bodyLimit,
      onRequest: gate.hook('admin'),
      schema: {
        summary: 'Take an instance out, or back in',
        params,
        querystring: schema.overrideQuery,
        body: schema.statusBody,
        response,
      },
    },
    (request) => {
      const { status } = request.body;
      return decide(request, request.params, request.query.namespace, {
        status: status === 'up' ? null : status,
      });
    },
  );

  app.put(
    `${base}/weight`,
    {
      bodyLimit,
      onRequest: gate.hook('admin'),
      schema: {
        summary: 'Set the share of the traffic that an instance gets',
        params,
        querystring: schema.overrideQuery,
        body: schema.weightBody,
        response,
      },
    },
    (request) => decide(request, request.params, request.query.namespace, { weight: request.body.weight }),
  );

  for (const method of ['PUT', 'DELETE'] as const) {
    const isDraining = method === 'PUT';
    app.route({
      method,
      url: `${base}/drain`,
      bodyLimit,
      onRequest: gate.hook('register'),
      schema: {
        summary: isDraining ? 'Send an instance no new calls' : 'Take that back',
        params,
        querystring: schema.drainQuery,
        response,
      },
      handler: (request) => {
        const { namespace, incarnation } = request.query;
        const { name, id } = request.params;
        const service = serviceKey({ name, namespace });
        gate.audit(request, 'drain', `${service}/${id}`, String(isDraining));
        if (incarnation === undefined) {
          return {
            name,
            id,
            override: registry.override(service, id, { status: isDraining ? 'draining' : null }),
          };
        }
        if (!registry.mark({ service, id, incarnation }, 'draining', isDraining)) {
          throw new RegistryError('ERR_INSTANCE_UNKNOWN', `${name} ${id} does not run as ${incarnation}`);
        }
        return { name, id, override: {} };
      },
    });
  }
}
