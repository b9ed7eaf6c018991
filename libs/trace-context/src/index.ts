export {
  appendChild,
  childTrace,
  readTrace,
  startTrace,
  traceHeaderNames,
  traceHeaders,
} from './trace-context.ts';
export type { TraceContext, TraceRequestHeaders } from './trace-context.ts';
