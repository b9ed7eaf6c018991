import { afterEach, describe, expect, test } from '@jest/globals';
import {
  context as contexts,
  ROOT_CONTEXT,
  SpanKind,
  SpanStatusCode,
  trace as traces,
  type ContextManager,
} from '@opentelemetry/api';
import {
  BasicTracerProvider,
  InMemorySpanExporter,
  SimpleSpanProcessor,
} from '@opentelemetry/sdk-trace-base';
import { startTrace } from '@mesh/trace-context';
import { createServiceClient, type ServiceClient } from './index.ts';
import { openTelemetry } from './opentelemetry.ts';
import { StaticDiscovery, Upstream, answer } from './testing/upstream.ts';

const cleanup: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const undo of cleanup.splice(0).reverse()) await undo();
});

const exporter = new InMemorySpanExporter();
const provider = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] });
const tracer = provider.getTracer('test');

async function meshOf(statuses: readonly number[], tracing = openTelemetry({ tracer })) {
  const seen: string[] = [];
  const server = await new Upstream('a', (request, response) => {
    seen.push(String(request.headers.traceparent));
    answer(statuses[seen.length - 1] ?? 200, 'a')(request, response);
  }).listen();
  const client: ServiceClient = createServiceClient({
    ...{ discovery: new StaticDiscovery([server.instance]), tracing, retry: { baseDelayMs: 1 } },
  });
  cleanup.push(
    () => server.kill(),
    () => client.close(0),
  );
  exporter.reset();
  return { client, server, seen };
}

describe('OpenTelemetry', () => {
  test('each attempt is a client span, child of the call, whose id the instance gets', async () => {
    const { client, server, seen } = await meshOf([503]);
    const trace = startTrace();
    await client.json({ service: 'user-service', path: '/users?token=secret', trace });
    const spans = exporter.getFinishedSpans();
    expect(spans).toHaveLength(2);
    expect(seen).toEqual(spans.map((span) => `00-${trace.traceId}-${span.spanContext().spanId}-01`));
    const [first, second] = spans;
    expect(first).toMatchObject({
      name: 'GET',
      kind: SpanKind.CLIENT,
      status: { code: SpanStatusCode.ERROR },
    });
    expect(first?.parentSpanContext?.spanId).toBe(trace.spanId);
    expect(first?.attributes).toMatchObject({ 'http.response.status_code': 503, 'error.type': '503' });
    expect(second?.attributes).toEqual({
      'http.request.method': 'GET',
      'http.request.resend_count': 1,
      'http.response.status_code': 200,
      'server.address': '127.0.0.1',
      'server.port': server.port,
      'url.full': `http://127.0.0.1:${server.port}/users`,
      'mesh.service': 'user-service',
      'mesh.instance': 'a',
    });
  });

  test('a failure says its type', async () => {
    const { client, server } = await meshOf([]);
    await server.kill();
    await client.json({ service: 'user-service', path: '/' }).catch(() => undefined);
    expect(exporter.getFinishedSpans()[0]).toMatchObject({
      status: { code: SpanStatusCode.ERROR },
      attributes: { 'error.type': 'ECONNREFUSED' },
    });
  });

  test('a call without a trace of its own belongs to the span under which the caller works', async () => {
    const span = tracer.startSpan('work');
    const active = traces.setSpan(ROOT_CONTEXT, span);
    const manager: ContextManager = {
      active: () => active,
      with: (_context, fn, target, ...parameters) => fn.apply(target as never, parameters),
      bind: (_context, target) => target,
      enable: () => manager,
      disable: () => manager,
    };
    contexts.setGlobalContextManager(manager);
    try {
      const { client } = await meshOf([]);
      await client.json({ service: 'user-service', path: '/' });
      const [attempt] = exporter.getFinishedSpans();
      expect(attempt?.spanContext().traceId).toBe(span.spanContext().traceId);
      expect(attempt?.parentSpanContext?.spanId).toBe(span.spanContext().spanId);
    } finally {
      contexts.disable();
    }
  });

  test('without a registered SDK nothing is recorded, and the client makes its own ids', async () => {
    const { client, seen } = await meshOf([], openTelemetry());
    const trace = startTrace();
    await client.json({ service: 'user-service', path: '/', trace });
    expect(seen[0]).toMatch(new RegExp(`^00-${trace.traceId}-[0-9a-f]{16}-01$`));
    expect(seen[0]).not.toContain(trace.spanId);
    expect(exporter.getFinishedSpans()).toEqual([]);
  });
});
