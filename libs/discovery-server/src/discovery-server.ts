/** A service registry as a Fastify plugin: leases, heartbeats, and a live stream of changes. */
export function discoveryServer(): string {
  return 'discovery-server';
}
