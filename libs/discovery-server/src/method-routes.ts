import { HttpProblem } from '@mesh/problem';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { TypedApp } from './typed-app.ts';

// OPTIONS is left to the app: it belongs to CORS.
const methods = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'TRACE'] as const;

/** Answers 405 with `Allow` for every other method on these paths, before a body is read. */
export function methodRoutes(app: TypedApp, paths: Readonly<Record<string, readonly string[]>>): void {
  for (const [url, allowed] of Object.entries(paths)) {
    const allow = allowed.join(', ');
    const refuse = (request: FastifyRequest, reply: FastifyReply, done: (error: Error) => void): void => {
      reply.header('allow', allow);
      done(new HttpProblem('ERR_METHOD_NOT_ALLOWED', `${request.method} is not one of ${allow}`));
    };
    app.route({
      url,
      method: methods.filter((method) => !allowed.includes(method)),
      schema: { hide: true },
      onRequest: refuse,
      handler: () => undefined,
    });
  }
}
