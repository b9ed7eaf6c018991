import { HttpProblem, statusByCode } from '@mesh/problem';
import { callerHost } from './address.ts';
import type { Gate } from './gate.ts';
import type { Registry } from './registry.ts';
import { RegistryError } from './registry-error.ts';
import type { BeatResult, Renewal } from './registry.ts';
import * as schema from './schemas.ts';
import { serviceKey } from './service-key.ts';
import type { TypedApp } from './typed-app.ts';

/** Largest body that is read, in bytes. */
export const bodyLimit = 65_536;

/** Of `POST /heartbeats`: a thousand of them. */
const batchLimit = 1_048_576;

const { noQuery } = schema;

/** What instances say of themselves: `POST /register`, `POST /heartbeat(s)`, `DELETE /services/:name/:port`. */
export function controlRoutes(app: TypedApp, registry: Registry, gate: Gate): void {
  const onRequest = gate.hook('register');

  app.post(
    '/register',
    {
      bodyLimit,
      onRequest,
      schema: {
        summary: 'Register an instance, or renew it',
        querystring: noQuery,
        body: schema.registerBody,
        response: { 200: schema.registerAnswer, 201: schema.registerAnswer },
      },
    },
    (request, reply) => {
      const { instance, created, lease, revision } = registry.register(withHost(request.body, request));
      if (created) gate.audit(request, 'register', `${serviceKey(instance)}/${instance.id}`);
      reply.code(created ? 201 : 200);
      return { ...instance, lease, revision };
    },
  );

  app.post(
    '/heartbeat',
    {
      bodyLimit,
      onRequest,
      schema: {
        summary: 'Renew the lease of an instance',
        querystring: noQuery,
        body: schema.heartbeatBody,
        response: { 200: schema.heartbeatAnswer },
      },
      serializerCompiler: () => renewalText,
    },
    (request) => registry.heartbeat(withHost(request.body, request)),
  );

  app.post(
    '/heartbeats',
    {
      bodyLimit: batchLimit,
      onRequest,
      schema: {
        summary: 'Renew the leases of many instances',
        querystring: noQuery,
        body: schema.heartbeatsBody,
        response: { 200: schema.heartbeatsAnswer },
      },
    },
    (request) => {
      const requests = request.body.heartbeats.map((one) => withHost(one, request));
      return { results: registry.heartbeats(requests).map(answerOf) };
    },
  );

  app.delete(
    '/services/:name/:port',
    {
      bodyLimit,
      onRequest,
      schema: {
        summary: 'Remove an instance',
        params: schema.instanceParams,
        querystring: schema.instanceQuery,
        response: { 200: schema.instanceSchema },
      },
    },
    (request) => {
      const instance = registry.deregister({ ...request.query, ...request.params });
      gate.audit(request, 'deregister', `${serviceKey(instance)}/${instance.id}`);
      return instance;
    },
  );
}

/** The answer that there are most of; nothing in it has to be escaped. */
function renewalText({ lease, revision }: Renewal): string {
  return `{"lease":{"durationMs":${lease.durationMs},"expiresAt":"${lease.expiresAt}"},"revision":"${revision}"}`;
}

function answerOf(result: BeatResult) {
  if (!(result instanceof RegistryError)) return { status: 200 as const, ...result };
  const { code, message } = result;
  return { status: statusByCode[code] ?? 500, code, detail: message };
}

/** Who names no host is listed where the request comes from. */
export function withHost<T extends { readonly host?: string | undefined }>(
  body: T,
  { ip }: { readonly ip: string | undefined },
): T & { host: string } {
  if (body.host !== undefined) return { ...body, host: body.host };
  // Over a Unix socket there is no address to detect.
  if (ip === undefined || ip === '') throw new HttpProblem('ERR_VALIDATION', 'body/host: must be given here');
  return { ...body, host: callerHost(ip) };
}
