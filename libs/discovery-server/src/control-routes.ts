import { HttpProblem } from '@mesh/problem';
import { requestGuard } from '@mesh/request-guard';
import type { GuardOptions } from '@mesh/request-guard';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { callerHost } from './address.ts';
import type { Registry } from './registry.ts';
import {
  heartbeatAnswer,
  heartbeatBody,
  instanceParams,
  instanceQuery,
  instanceSchema,
  noQuery,
  registerAnswer,
  registerBody,
} from './schemas.ts';
import type { TypedApp } from './typed-app.ts';

/** Largest body that is read, in bytes. */
const bodyLimit = 65_536;

/** The routes that change something: `POST /register`, `POST /heartbeat`, `DELETE /services/:name/:port`. */
export function controlRoutes(app: TypedApp, registry: Registry, guard: GuardOptions | undefined): void {
  const onRequest = guardHook(guard);

  app.post(
    '/register',
    {
      bodyLimit,
      onRequest,
      schema: {
        summary: 'Register an instance, or renew it',
        querystring: noQuery,
        body: registerBody,
        response: { 200: registerAnswer, 201: registerAnswer },
      },
    },
    (request, reply) => {
      const { instance, created, lease, revision } = registry.register(withHost(request.body, request));
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
        body: heartbeatBody,
        response: { 200: heartbeatAnswer },
      },
    },
    (request) => registry.heartbeat(withHost(request.body, request)),
  );

  app.delete(
    '/services/:name/:port',
    {
      bodyLimit,
      onRequest,
      schema: {
        summary: 'Remove an instance',
        params: instanceParams,
        querystring: instanceQuery,
        response: { 200: instanceSchema },
      },
    },
    (request) => registry.deregister({ ...request.query, ...request.params }),
  );
}

/** Refuses a request that must not change anything before its body is read. */
function guardHook(options: GuardOptions | undefined) {
  const guard = requestGuard(options);
  return (request: FastifyRequest, reply: FastifyReply, done: (error?: Error) => void): void => {
    const refusal = guard(request);
    if (refusal === undefined) {
      done();
      return;
    }
    if (refusal.code === 'ERR_UNAUTHORIZED') reply.header('www-authenticate', 'Bearer');
    done(new HttpProblem(refusal.code, refusal.detail));
  };
}

/** Who names no host is listed where the request comes from. */
function withHost<T extends { readonly host?: string | undefined }>(
  body: T,
  { ip }: { readonly ip: string | undefined },
): T & { host: string } {
  if (body.host !== undefined) return { ...body, host: body.host };
  // Over a Unix socket there is no address to detect.
  if (ip === undefined || ip === '') throw new HttpProblem('ERR_VALIDATION', 'body/host: must be given here');
  return { ...body, host: callerHost(ip) };
}
