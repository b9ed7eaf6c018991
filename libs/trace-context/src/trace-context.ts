import { isZero, newSpanId, newTraceId } from './id.ts';
import { formatTraceParent, parseTraceParent } from './traceparent.ts';
import { boundTraceState } from './tracestate.ts';

/** Where one piece of work stands in a distributed trace. */
export interface TraceContext {
  /** The whole trace: 32 lower-case hex digits, never all zero. */
  readonly traceId: string;
  /** This piece of work: 16 lower-case hex digits, never all zero. */
  readonly spanId: string;
  /** The piece of work that asked for this one; absent at the start of a trace. */
  readonly parentSpanId?: string;
  /** The request of the outermost caller, the same on every hop: 1 to 128 visible ASCII characters. */
  readonly requestId: string;
  /** Whether the caller may have recorded the trace; true in a trace of our own. */
  readonly sampled: boolean;
  /** What tracing systems pass along to themselves (`tracestate`), at most 512 characters. */
  readonly traceState?: string;
}

/** Every header, in lower case, that {@link traceHeaders} may write: who sends a trace of its own drops the ones that came. */
export const traceHeaderNames: ReadonlySet<string> = new Set([
  'traceparent',
  'tracestate',
  'x-request-id',
  'x-trace-id',
  'x-span-id',
  'x-parent-span-id',
]);

/** Incoming headers with lower-case names, as Node gives them. */
export type TraceRequestHeaders = Readonly<Record<string, string | readonly string[] | undefined>>;

/**
 * The trace of an incoming request, with a new span of its own. Continues `traceparent` (W3C Trace Context), else
 * `X-Trace-ID` and `X-Span-ID` when they are hex ids of W3C's lengths, else starts anew. `X-Request-ID` is kept when
 * it is safe to log and to pass on. A malformed header is never an error, it is as if it were absent.
 */
export function readTrace(headers: TraceRequestHeaders): TraceContext {
  const requestId = safeRequestId(single(headers['x-request-id'])) ?? newTraceId();
  const caller = readW3c(headers) ?? readPlain(headers);
  if (caller !== undefined) return { ...caller, spanId: newSpanId(), requestId };
  return { traceId: newTraceId(), spanId: newSpanId(), requestId, sampled: true };
}

/** The root of a new, sampled trace. */
export function startTrace(): TraceContext {
  return { traceId: newTraceId(), spanId: newSpanId(), requestId: newTraceId(), sampled: true };
}

/** A new piece of work asked for by `parent`: same trace and request, own span. */
export function childTrace(parent: TraceContext): TraceContext {
  const { traceId, requestId, sampled, traceState } = parent;
  const child = { traceId, spanId: newSpanId(), parentSpanId: parent.spanId, requestId, sampled };
  return traceState === undefined ? child : { ...child, traceState };
}

/** Outgoing headers that tell the callee about `trace`: `readTrace` there gives a child of it. */
export function traceHeaders(trace: TraceContext): Record<string, string> {
  const headers: Record<string, string> = {
    traceparent: formatTraceParent(trace),
    'x-request-id': trace.requestId,
    'x-trace-id': trace.traceId,
    'x-span-id': trace.spanId,
  };
  if (trace.parentSpanId !== undefined) headers['x-parent-span-id'] = trace.parentSpanId;
  if (trace.traceState !== undefined) headers.tracestate = trace.traceState;
  return headers;
}

/**
 * Adds the headers of a new child of `parent` to flat name and value pairs, as `traceHeaders(childTrace(parent))` would, and gives the
 * child's span id: for a path that sends thousands a second. A `spanId` that a tracing system made is taken over.
 */
export function appendChild(pairs: string[], parent: TraceContext, spanId: string = newSpanId()): string {
  const { traceId, spanId: parentSpanId, requestId, sampled, traceState } = parent;
  pairs.push(
    'traceparent',
    formatTraceParent({ traceId, spanId, sampled }),
    'x-request-id',
    requestId,
    'x-trace-id',
    traceId,
    'x-span-id',
    spanId,
    'x-parent-span-id',
    parentSpanId,
  );
  if (traceState !== undefined) pairs.push('tracestate', traceState);
  return spanId;
}

type Caller = Pick<TraceContext, 'traceId' | 'parentSpanId' | 'sampled' | 'traceState'>;

function readW3c(headers: TraceRequestHeaders): Caller | undefined {
  const parent = parseTraceParent(single(headers['traceparent']) ?? '');
  if (parent === undefined) return undefined;
  const traceState = boundTraceState(joined(headers['tracestate']));
  const caller: Caller = { traceId: parent.traceId, parentSpanId: parent.spanId, sampled: parent.sampled };
  return traceState === undefined ? caller : { ...caller, traceState };
}

function readPlain(headers: TraceRequestHeaders): Caller | undefined {
  const traceId = hex(single(headers['x-trace-id']), 32);
  if (traceId === undefined) return undefined;
  const parentSpanId = hex(single(headers['x-span-id']), 16);
  return parentSpanId === undefined ? { traceId, sampled: true } : { traceId, parentSpanId, sampled: true };
}

function single(value: string | readonly string[] | undefined): string | undefined {
  if (value === undefined || typeof value === 'string') return value;
  return value.length === 1 ? value[0] : undefined;
}

/** W3C lets `tracestate` come in several headers, in order. */
function joined(value: string | readonly string[] | undefined): string {
  return typeof value === 'string' ? value : (value ?? []).join(',');
}

function hex(text: string | undefined, length: number): string | undefined {
  if (text?.length !== length || !/^[0-9a-f]+$/i.test(text) || isZero(text)) return undefined;
  return text.toLowerCase();
}

function safeRequestId(text: string | undefined): string | undefined {
  return text !== undefined && /^[\x21-\x7e]{1,128}$/.test(text) ? text : undefined;
}
