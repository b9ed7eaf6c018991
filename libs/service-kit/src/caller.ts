import { HttpProblem } from '@mesh/problem';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { PassedIdentity, VerifyIdentity } from './passed-identity.ts';

declare module 'fastify' {
  interface FastifyRequest {
    /** Who calls through the gateway; undefined when nobody said it, or {@link addCaller} was not used. */
    caller?: PassedIdentity | undefined;
  }
}

/** What {@link addCaller} takes beside the verifier. */
export interface CallerOptions {
  /** Whether a request without an identity is refused. Default false: then the routes decide, with {@link requireScopes}. */
  readonly required?: boolean;
}

type Done = (error?: Error) => void;

/**
 * Sets `request.caller` from the signed `x-mesh-identity` of the gateway, for the routes of this scope. One that does not hold is answered
 * 401, always: who forges it is not a stranger but an attacker. Add it to the scope of your routes, so that `/health` stays open.
 *
 * @example
 * app.register((scope, _options, done) => {
 *   addCaller(scope, identityVerifier({ service: 'order-service', keys }), { required: true });
 *   scope.get('/orders', { onRequest: requireScopes('orders:read') }, ({ caller }) => ordersOf(caller.subject));
 *   done();
 * });
 */
export function addCaller(
  app: FastifyInstance,
  verify: VerifyIdentity,
  { required = false }: CallerOptions = {},
): void {
  if (!app.hasRequestDecorator('caller')) app.decorateRequest('caller', undefined);
  app.addHook('onRequest', (request, _reply, done) => {
    const text = request.headers['x-mesh-identity'];
    if (text === undefined) {
      done(required ? unknownCaller() : undefined);
      return;
    }
    const settle = (caller: PassedIdentity | undefined): void => {
      request.caller = caller;
      done(caller === undefined ? unknownCaller() : undefined);
    };
    const caller = verify(String(text));
    if (caller instanceof Promise) void caller.then(settle);
    else settle(caller);
  });
}

/** A hook for a route: 401 when nobody is known to call, 403 when the caller lacks one of the scopes. */
export function requireScopes(
  ...scopes: readonly string[]
): (request: FastifyRequest, reply: FastifyReply, done: Done) => void {
  return ({ caller }, _reply, done) => {
    if (caller === undefined) done(unknownCaller());
    else if (scopes.every((scope) => caller.scopes.includes(scope))) done();
    else done(new HttpProblem('ERR_FORBIDDEN', 'The caller does not have the scope that this route needs.'));
  };
}

function unknownCaller(): HttpProblem {
  return new HttpProblem('ERR_UNAUTHORIZED', 'The gateway does not say who calls.');
}
