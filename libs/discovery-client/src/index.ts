export { DiscoveryClient } from './discovery-client.ts';
export type { ResolveOptions } from './discovery-client.ts';
export type { DiscoveryClientOptions, DiscoverySettings } from './discovery-client-options.ts';
export { DiscoveryError, isDiscoveryError } from './discovery-error.ts';
export type { DiscoveryErrorCode, DiscoveryErrorDetails } from './discovery-error.ts';
export type { DiscoveryEvent } from './discovery-event.ts';
export type { Reach, Reacher } from './held-check.ts';
export type {
  CachedService,
  Instance,
  InstanceStatus,
  Registration,
  Resolution,
  ResolutionSource,
  ServiceDescription,
} from './instance.ts';
export type { InstanceFilter } from './instance-filter.ts';
export type { SnapshotStore } from './list-snapshot.ts';
export type { Position } from './position.ts';
export type { Provider, ProviderContext, ProviderFactory } from './provider.ts';
export type { Acceptance, ServiceList } from './registry-answer.ts';
export { combineHash, emptyHash, formatHash, instanceHash } from './set-hash.ts';
export type { SetHash } from './set-hash.ts';
export type { Store } from './store.ts';
export type { Clock, Random, Timers } from './timers.ts';
export { inVersionRange } from './version-range.ts';
