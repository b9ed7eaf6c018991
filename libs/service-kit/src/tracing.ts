import { readTrace } from '@mesh/trace-context';
import type { TraceContext } from '@mesh/trace-context';
import type { FastifyInstance, FastifyServerOptions } from 'fastify';
import type { IncomingMessage } from 'node:http';
import type { Identity } from './identity.ts';

declare module 'fastify' {
  interface FastifyRequest {
    /** Trace of this request: continued from the caller, with a span of its own. */
    readonly trace: TraceContext;
  }
}

/** The trace is read once, where Fastify first sees the request, and found again by the request it belongs to. */
const traces = new WeakMap<IncomingMessage, TraceContext>();

function traceOf(request: IncomingMessage): TraceContext {
  let trace = traces.get(request);
  if (trace === undefined) traces.set(request, (trace = readTrace(request.headers)));
  return trace;
}

/** Fastify options that give every request its id and its log the trace. */
export const traceOptions = {
  requestIdHeader: false,
  genReqId: (request) => traceOf(request).requestId,
  childLoggerFactory: (logger, _bindings, options, request) => {
    const { traceId, requestId } = traceOf(request);
    return logger.child({ traceId, requestId }, options);
  },
} satisfies FastifyServerOptions;

/** The headers by which a caller learns who answered, and under which ids. */
export function identityHeaders({ instance }: Identity, request: IncomingMessage): Record<string, string> {
  const { requestId, traceId } = traceOf(request);
  return { 'x-instance': instance, 'x-request-id': requestId, 'x-trace-id': traceId };
}

/** `request.trace`. */
export function addTracing(app: FastifyInstance): void {
  app.decorateRequest('trace', {
    getter() {
      return traceOf(this.raw);
    },
  });
}
