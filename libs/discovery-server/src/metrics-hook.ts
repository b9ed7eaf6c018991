import type { FastifyInstance } from 'fastify';
import { Gate } from './gate.ts';
import type { GateOptions } from './gate.ts';
import type { RegistryMetrics } from './registry-metrics.ts';
import { wantsOpenMetrics } from './registry-metrics.ts';

/**
 * Answers `GET /metrics` with OpenMetrics where `Accept` asks for it; for everybody else the route of the app stays as it is. Add
 * it before that route.
 */
export function addOpenMetrics(
  app: FastifyInstance,
  metrics: RegistryMetrics,
  options: GateOptions = {},
): void {
  const admit = new Gate(options).hook('read');
  app.addHook('onRequest', (request, reply, done) => {
    const isMeant = request.method === 'GET' && request.routeOptions.url === '/metrics';
    if (!isMeant || !wantsOpenMetrics(request.headers.accept)) {
      done();
      return;
    }
    admit(request, reply, (error) => {
      if (error !== undefined) {
        done(error);
        return;
      }
      metrics
        .text()
        .then(({ contentType, body }) => reply.type(contentType).header('vary', 'accept').send(body), done);
    });
  });
}
