import { HttpProblem, sendProblem } from '@mesh/problem';
import { requestGuard, type GuardOptions } from '@mesh/request-guard';
import type { FastifyPluginCallback } from 'fastify';
import { validatorCompiler } from 'fastify-type-provider-zod';
import { z } from 'zod';
import type { Gateway } from '../gateway.ts';
import type { RequestDescription } from './explain.ts';

/** What {@link inspectRoutes} takes. */
export interface InspectRoutesOptions {
  readonly gateway: Pick<Gateway, 'getSnapshot' | 'explain'>;
  /** Who may look: hosts, origins, token. Default: who addresses this machine by a loopback name. */
  readonly guard?: GuardOptions;
}

/** Body of `POST /routes/explain`. */
const description = z.strictObject({
  method: z.string().max(32).optional(),
  url: z.string().max(8192),
  headers: z.record(z.string().max(256), z.string().max(8192)).optional(),
  clientAddress: z.union([z.ipv4(), z.ipv6()]).optional(),
});

/**
 * `GET /routes`, the routes at this moment, and `POST /routes/explain`: what would happen to a request (`{ method?, url, headers?,
 * clientAddress? }`), which is not sent. Both are guarded as `/invoke` is: they tell how the mesh is made.
 *
 * @example await app.register(inspectRoutes, { gateway, guard: { token } });
 */
export const inspectRoutes: FastifyPluginCallback<InspectRoutesOptions> = (
  app,
  { gateway, guard: rules },
  done,
) => {
  const guard = requestGuard(rules);
  app.setValidatorCompiler(validatorCompiler);
  app.setErrorHandler(sendProblem);
  app.addHook('onRequest', (request, reply, next) => {
    const refusal = guard(request);
    void reply.header('cache-control', 'no-store');
    next(refusal && new HttpProblem(refusal.code, refusal.detail));
  });
  app.get('/routes', { schema: { summary: 'The routes at this moment', tags: ['mesh'] } }, () =>
    gateway.getSnapshot(),
  );
  app.post<{ Body: RequestDescription }>(
    '/routes/explain',
    {
      schema: {
        summary: 'What would happen to a request: route, branch, policies, instances',
        tags: ['mesh'],
        body: description,
      },
    },
    ({ body }) => gateway.explain(body),
  );
  done();
};
