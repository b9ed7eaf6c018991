import type { HealthMonitor } from '@mesh/health-monitor';
import { sendProblem } from '@mesh/problem';
import type { GuardOptions } from '@mesh/request-guard';
import type { FastifyPluginCallback } from 'fastify';
import { validatorCompiler } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { alertRoutes } from './alert-routes.ts';
import { HealthStream, streamRoute } from './health-stream.ts';
import { sampleRoute } from './sample-route.ts';
import { healthOverview, windows } from './service-health.ts';
import type { TypedApp } from './typed-app.ts';

/** Options of the {@link healthServer} plugin. */
export interface HealthServerOptions {
  /** What is shown. Starting and closing it is up to its owner. */
  readonly monitor: HealthMonitor;
  /** Who may acknowledge and silence: hosts, origins, token. Default: loopback names, no token. */
  readonly guard?: GuardOptions;
}

const query = z.object({
  window: z.enum(windows).default('1h').describe('Span of the figures and of the history'),
  history: z.stringbool().default(true).describe('Whether the slots of the window are shown'),
});
const schema = { summary: 'Health of every service, with history', tags: ['health'], querystring: query };

/**
 * A Fastify plugin that shows a health monitor: `GET /alerts`, `POST /alerts/:id/acknowledge`, `POST /silences`, `DELETE /silences/:id`,
 * `GET /health/services`, `POST /health/samples`, `GET /health/stream`. Errors are problem JSON.
 *
 * @example await app.register(healthServer, { monitor, guard: { token } });
 */
export const healthServer: FastifyPluginCallback<HealthServerOptions> = (scope, { monitor, guard }, done) => {
  const app: TypedApp = scope.withTypeProvider();
  app.setValidatorCompiler(validatorCompiler);
  // The types of the routes check the answers.
  app.setSerializerCompiler(() => (data) => JSON.stringify(data));
  app.setErrorHandler(sendProblem);
  alertRoutes(app, monitor, guard);
  sampleRoute(app, monitor, { guard });
  app.get('/health/services', { schema }, (request, reply) => {
    void reply.header('cache-control', 'no-store');
    return healthOverview(monitor, request.query);
  });
  const stream = new HealthStream(monitor);
  streamRoute(app, stream);
  app.addHook('preClose', (closed) => {
    stream.close();
    closed();
  });
  done();
};
