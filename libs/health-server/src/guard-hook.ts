import { HttpProblem } from '@mesh/problem';
import { requestGuard, type GuardOptions } from '@mesh/request-guard';
import type { FastifyReply, FastifyRequest } from 'fastify';

/** Routes that change something. */
export interface Guarded {
  /** Who may; default: loopback names, no token. */
  readonly guard: GuardOptions | undefined;
}

/** Refuses a request that must not change anything before its body is read. */
export function guardHook(options: GuardOptions | undefined) {
  const guard = requestGuard(options);
  return (request: FastifyRequest, reply: FastifyReply, done: (error?: Error) => void): void => {
    const refusal = guard(request);
    if (refusal?.code === 'ERR_UNAUTHORIZED') reply.header('www-authenticate', 'Bearer');
    done(refusal && new HttpProblem(refusal.code, refusal.detail));
  };
}
