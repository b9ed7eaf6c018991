/** W3C trace context and the request's identity, from header to header. */
export function traceContext(): string {
  return 'trace-context';
}
