import { HttpProblem, sendProblem } from '@mesh/problem';
import { requestGuard, type GuardOptions } from '@mesh/request-guard';
import type { FastifyPluginCallback } from 'fastify';
import { validatorCompiler, type ZodTypeProvider } from 'fastify-type-provider-zod';
import { z } from 'zod';
import type { PurgeTarget } from './purge.ts';
import type { ResponseCache } from './response-cache.ts';

/** What {@link cacheRoutes} takes. */
export interface CacheRoutesOptions {
  readonly cache: Pick<ResponseCache, 'purge'>;
  /** Who may purge: hosts, origins, token. Default: who addresses this machine by a loopback name. */
  readonly guard?: GuardOptions;
}

const path = z.string().startsWith('/').max(8_192);
const host = z.string().min(1).max(255).optional();
const target = z.union([
  z.strictObject({ path, host }),
  z.strictObject({ prefix: path, host }),
  z.strictObject({ tag: z.string().min(1).max(256) }),
]);
const body = z.union([target, z.strictObject({ all: z.literal(true) })]);
const tags = ['mesh'];

/**
 * `DELETE /cache?path=/users` and `POST /cache/purge` with one of `path`, `prefix`, `tag` or `all: true`; both answer `{ purged }`. Errors are problem
 * JSON.
 *
 * @example await app.register(cacheRoutes, { cache, guard: { token } });
 */
export const cacheRoutes: FastifyPluginCallback<CacheRoutesOptions> = (app, { cache, guard: who }, done) => {
  const guard = requestGuard(who);
  app.setValidatorCompiler(validatorCompiler);
  app.setErrorHandler(sendProblem);
  app.addHook('onRequest', (request, _reply, next) => {
    const refusal = guard(request);
    next(refusal && new HttpProblem(refusal.code, refusal.detail));
  });
  const routes = app.withTypeProvider<ZodTypeProvider>();
  const summary = 'Forgets stored answers';
  routes.delete('/cache', { schema: { summary, tags, querystring: target } }, ({ query }) => ({
    purged: cache.purge(asTarget(query)),
  }));
  routes.post('/cache/purge', { schema: { summary, tags, body } }, (request) => ({
    purged: cache.purge('all' in request.body ? 'all' : asTarget(request.body)),
  }));
  done();
};

function asTarget(read: z.output<typeof target>): PurgeTarget {
  if ('tag' in read) return read;
  const { host: onHost, ...what } = read;
  return onHost === undefined ? what : { ...what, host: onHost };
}
