import type { HealthMonitor } from '@mesh/health-monitor';
import { z } from 'zod';
import { guardHook, type Guarded } from './guard-hook.ts';
import { targetId } from './registered-targets.ts';
import type { TypedApp } from './typed-app.ts';

/** Most calls of one instance that one report counts: some ten milliseconds of work. */
const maxCalls = 10_000;

const callCount = z.int().min(0).max(maxCalls);
const name = z.string().min(1).max(200);

/** What a caller has seen of one instance since its last report. */
export const callReport = z.strictObject({
  service: name,
  instance: name,
  /** Calls that went well, and calls that did not. */
  ok: callCount,
  failed: callCount,
  /** Latencies of the good ones in milliseconds, or a fair sample of them. */
  latenciesMs: z.array(z.number().min(0).max(3_600_000)).max(64).default([]),
});

/** What a caller has seen of one instance since its last report. */
export type CallReport = z.output<typeof callReport>;

const body = z.strictObject({ reports: z.array(callReport).max(1000) });
const schema = { summary: 'Calls that others have made', tags: ['health'], body };

/** `POST /health/samples`: calls of a service client count as if the monitor had made them. An unknown instance is nobody's. */
export function sampleRoute(app: TypedApp, monitor: HealthMonitor, { guard }: Guarded): void {
  const onRequest = guardHook(guard);
  app.post('/health/samples', { bodyLimit: 1_048_576, onRequest, schema }, (request, reply) => {
    for (const report of request.body.reports) record(monitor, report);
    return reply.code(204).send();
  });
}

function record(monitor: HealthMonitor, { service, instance, ok, failed, latenciesMs }: CallReport): void {
  const id = targetId(service, instance);
  for (let call = 0; call < failed; call++) monitor.record(id, { ok: false });
  for (let call = 0; call < ok; call++) {
    const latencyMs = latenciesMs[call % latenciesMs.length];
    monitor.record(id, { ok: true, ...(latencyMs !== undefined && { latencyMs }) });
  }
}
