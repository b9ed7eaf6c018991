import { isAlertError, type HealthMonitor } from '@mesh/health-monitor';
import { HttpProblem } from '@mesh/problem';
import type { GuardOptions } from '@mesh/request-guard';
import { z } from 'zod';
import { guardHook } from './guard-hook.ts';
import type { TypedApp } from './typed-app.ts';

const by = z.string().min(1).max(200).describe('Who does it');
const note = z.string().max(500).default('');
const matcher = z
  .strictObject({
    rule: z.string().min(1).max(500).optional(),
    target: z.string().min(1).max(500).optional(),
    service: z.string().min(1).max(500).optional(),
    severity: z.enum(['info', 'warning', 'critical', 'page']).optional(),
  })
  .refine((match) => Object.values(match).some((value) => value !== undefined), 'must name something');
const acknowledgement = z.strictObject({ by, note });
const silence = z.strictObject({
  match: matcher,
  durationMs: z
    .int()
    .min(1000)
    .max(31 * 86_400_000),
  by,
  note,
});
const params = z.object({ id: z.string().min(1).max(1500) });

const bodyLimit = 16_384;
const tags = ['health'];

/** `GET /alerts`, `POST /alerts/:id/acknowledge`, `POST /silences`, `DELETE /silences/:id`. What changes something is guarded. */
export function alertRoutes(app: TypedApp, monitor: HealthMonitor, guard: GuardOptions | undefined): void {
  const onRequest = guardHook(guard);
  app.get(
    '/alerts',
    { schema: { summary: 'Alerts: active, and lately resolved', tags } },
    (_request, reply) => {
      void reply.header('cache-control', 'no-store');
      return alertsOf(monitor);
    },
  );
  app.post(
    '/alerts/:id/acknowledge',
    { bodyLimit, onRequest, schema: { summary: 'Take an alert', tags, params, body: acknowledgement } },
    (request) => orProblem(() => monitor.acknowledge(request.params.id, request.body)),
  );
  app.post(
    '/silences',
    {
      bodyLimit,
      onRequest,
      schema: { summary: 'Tell nobody of some alerts for a while', tags, body: silence },
    },
    (request, reply) => {
      const { durationMs, match, ...who } = request.body;
      // What was not given is not there.
      const named = JSON.parse(JSON.stringify(match)) as Parameters<HealthMonitor['silence']>[0]['match'];
      void reply.code(201);
      return orProblem(() => monitor.silence({ ...who, match: named, until: Date.now() + durationMs }));
    },
  );
  app.delete(
    '/silences/:id',
    { onRequest, schema: { summary: 'End a silence', tags, params } },
    (request, reply) => {
      const { id } = request.params;
      if (!monitor.unsilence(id)) throw new HttpProblem('ERR_NOT_FOUND', `there is no silence ${id}`);
      return reply.code(204).send();
    },
  );
}

/** An alert, and why nobody is told of it, if nobody is. */
type ShownAlert = HealthMonitor['alerts'][number] & { readonly quietedBy?: string };

/** Alerts as they are shown, here and in the stream. */
export function alertsOf(monitor: HealthMonitor): {
  readonly alerts: readonly ShownAlert[];
  readonly resolved: HealthMonitor['resolvedAlerts'];
  readonly silences: HealthMonitor['silences'];
} {
  return {
    alerts: monitor.alerts.map((alert) => {
      const quietedBy = alert.state === 'pending' ? undefined : monitor.quietedBy(alert);
      return { ...alert, ...(quietedBy !== undefined && { quietedBy }) };
    }),
    resolved: monitor.resolvedAlerts.slice(0, 100),
    silences: monitor.silences,
  };
}

const problems = {
  ERR_ALERT_NOT_FOUND: 'ERR_NOT_FOUND',
  ERR_ALERT_PENDING: 'ERR_CONFLICT',
  ERR_NOT_STARTED: 'ERR_UNAVAILABLE',
} as const;

function orProblem<T>(act: () => T): T {
  try {
    return act();
  } catch (error) {
    if (isAlertError(error)) {
      throw new HttpProblem(problems[error.code], error.message, { cause: error });
    }
    throw error;
  }
}
