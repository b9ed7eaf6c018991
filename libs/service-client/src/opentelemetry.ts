import {
  context as contexts,
  isSpanContextValid,
  ROOT_CONTEXT,
  SpanKind,
  SpanStatusCode,
  trace as traces,
  TraceFlags,
  type Span,
  type Tracer,
} from '@opentelemetry/api';
import type { TraceContext } from '@mesh/trace-context';
import type { AttemptSpan, AttemptStart, Tracing } from './tracing.ts';

/**
 * Client spans with the HTTP semantic conventions of OpenTelemetry, one for each attempt: name `{method}`, kind CLIENT, with
 * `http.request.method`, `server.address`, `server.port`, `url.full`, `http.response.status_code`, `error.type`, `http.request.resend_count`,
 * and `mesh.service`, `mesh.instance`. Without a registered SDK, or where the call is not sampled, it does nothing and the client makes its
 * own ids.
 *
 * @example
 * const client = createServiceClient({ discovery, tracing: openTelemetry() });
 */
export function openTelemetry({
  tracer = traces.getTracer('@mesh/service-client'),
}: { readonly tracer?: Tracer } = {}): Tracing {
  return {
    current: () => currentOf(traces.getActiveSpan()),
    begin: (start) => begin(tracer, start),
  };
}

function currentOf(span: Span | undefined): TraceContext | undefined {
  const active = span?.spanContext();
  if (active === undefined || !isSpanContextValid(active)) return undefined;
  const { traceId, spanId, traceFlags } = active;
  return { traceId, spanId, requestId: traceId, sampled: (traceFlags & TraceFlags.SAMPLED) !== 0 };
}

function begin(tracer: Tracer, start: AttemptStart): AttemptSpan | undefined {
  const { traceId, spanId, sampled } = start.trace;
  const traceFlags = sampled ? TraceFlags.SAMPLED : TraceFlags.NONE;
  const active = contexts.active();
  const parent = traces.setSpanContext(active === ROOT_CONTEXT ? ROOT_CONTEXT : active, {
    ...{ traceId, spanId, traceFlags },
  });
  const span = tracer.startSpan(
    start.method,
    { kind: SpanKind.CLIENT, attributes: attributesOf(start) },
    parent,
  );
  const own = span.spanContext();
  // Without an SDK the span is the parent once more: an id of its own would be lost.
  if (!span.isRecording() || own.spanId === spanId) return undefined;
  return {
    spanId: own.spanId,
    end: (status, error) => {
      finish(span, status, error);
    },
  };
}

function attributesOf({ service, instance, address, method, path, resends }: AttemptStart) {
  const { scheme, host, port } = address;
  return {
    'http.request.method': method,
    'server.address': host,
    'server.port': port,
    // Without the query: it may hold secrets.
    'url.full': `${scheme}://${host}:${port}${path.split('?', 1)[0] ?? ''}`,
    'mesh.service': service,
    'mesh.instance': instance,
    ...(resends > 0 && { 'http.request.resend_count': resends }),
  };
}

function finish(span: Span, status: number | undefined, error: Error | undefined): void {
  if (status !== undefined) span.setAttribute('http.response.status_code', status);
  if (error !== undefined || (status !== undefined && status >= 400)) {
    const { code, name } = (error ?? {}) as { code?: unknown; name?: string };
    const type = typeof code === 'string' ? code : (name ?? String(status));
    span.setAttribute('error.type', type);
    span.setStatus({ code: SpanStatusCode.ERROR, ...(error !== undefined && { message: error.message }) });
  }
  span.end();
}
