export { traceContext } from './trace-context.ts';
