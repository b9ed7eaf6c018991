export { childTrace, readTrace, startTrace, traceHeaders } from './trace-context.ts';
export type { TraceContext, TraceRequestHeaders } from './trace-context.ts';
