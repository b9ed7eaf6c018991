export { adaptivePolicy } from './adaptive.ts';
export { boundedLoadPolicy } from './bounded-load.ts';
export type { BoundedLoadOptions } from './bounded-load.ts';
export type { EjectionEvent, EjectionOptions } from './ejection.ts';
export type { Endpoint } from './endpoint.ts';
export { allOf, inZone, isAvailable, ofVersion, withMetadata } from './filters.ts';
export type { Filter } from './filters.ts';
export { hashOf } from './hash.ts';
export type { Lease } from './lease.ts';
export { leastConnectionsPolicy } from './least-connections.ts';
export { LoadBalancer } from './load-balancer.ts';
export type { LoadBalancerOptions, PickContext } from './load-balancer.ts';
export { maglevPolicy } from './maglev.ts';
export { peakEwmaPolicy } from './peak-ewma.ts';
export type { PeakEwmaOptions } from './peak-ewma.ts';
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
export { rendezvousPolicy } from './rendezvous.ts';
export { ringHashPolicy } from './ring-hash.ts';
export { roundRobinPolicy } from './round-robin.ts';
export type { SlowStartOptions } from './slow-start.ts';
export type { EndpointSnapshot, EndpointState } from './snapshot.ts';
export { strategies } from './strategies.ts';
export type { Strategy, StrategyName } from './strategies.ts';
export type { SubsetOptions } from './subset.ts';
export { twoChoices } from './two-choices.ts';
export { weightedPolicy } from './weighted.ts';
export type { WeightedOptions } from './weighted.ts';
export type { ZoneOptions } from './zones.ts';
