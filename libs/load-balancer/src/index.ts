export { adaptivePolicy } from './adaptive.ts';
export type { Endpoint } from './endpoint.ts';
export { hashOf } from './hash.ts';
export type { Lease } from './lease.ts';
export { leastConnectionsPolicy } from './least-connections.ts';
export { LoadBalancer } from './load-balancer.ts';
export type { EndpointSnapshot, LoadBalancerOptions, PickContext } from './load-balancer.ts';
export type {
  Candidate,
  Clock,
  LeaseResult,
  Outcome,
  Picker,
  PickRequest,
  Policy,
  PolicyFactory,
  PolicyTools,
  Random,
  Tracker,
} from './policy.ts';
export { randomPolicy } from './random.ts';
export { roundRobinPolicy } from './round-robin.ts';
export { strategies } from './strategies.ts';
export type { Strategy, StrategyName } from './strategies.ts';
export { twoChoices } from './two-choices.ts';
export { weightedPolicy } from './weighted.ts';
