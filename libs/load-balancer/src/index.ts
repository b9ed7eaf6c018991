export type { Endpoint } from './endpoint.ts';
export { LoadBalancer } from './load-balancer.ts';
export type { EndpointSnapshot, Lease, LoadBalancerOptions, PickContext } from './load-balancer.ts';
export type { LeaseResult } from './load.ts';
export type { Strategy } from './strategy.ts';
