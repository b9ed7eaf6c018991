import { statusCodeOf } from '@mesh/health-monitor';
import type { FastifyInstance } from 'fastify';
import { Health } from './health.ts';
import type { HealthCheck, HealthReport } from './health.ts';
import type { Identity } from './identity.ts';

declare module 'fastify' {
  interface FastifyInstance {
    /** The health of this service; `leave()` is called when it was told to stop. */
    readonly health: Health;
  }
}

/** What `GET /health` shows of a report. The status code is the report's in any case. */
export type HealthView = (report: HealthReport) => object;

/** What {@link addHealth} takes. */
export interface HealthRouteOptions {
  readonly identity: Identity;
  readonly checks?: Readonly<Record<string, HealthCheck>>;
  readonly health?: HealthView;
}

/** `GET /health` (200 or 503) and `app.health`. */
export function addHealth(
  app: FastifyInstance,
  { identity, checks = {}, health: view = (report) => report }: HealthRouteOptions,
): void {
  const health = new Health(identity, {
    checks,
    onChange: (status, reports) => {
      app.log[status === 'healthy' || status === 'leaving' ? 'info' : 'warn'](
        { status, checks: reports },
        'health changed',
      );
    },
  });
  app.decorate('health', health);
  void app.register((scope, _options, done) => {
    // Probes come every few seconds for ever: what is worth a line is a change, and that has one.
    scope.get(
      '/health',
      { logLevel: 'warn', schema: { summary: 'State of this instance', tags: ['operations'] } },
      async (_request, reply) => {
        const report = await health.report();
        return reply.code(statusCodeOf(report)).header('cache-control', 'no-store').send(view(report));
      },
    );
    done();
  });
}
