export { DiscoveryClient } from './discovery-client.ts';
export type { DiscoveryClientOptions } from './discovery-client-options.ts';
export { DiscoveryError, isDiscoveryError } from './discovery-error.ts';
export type { DiscoveryErrorCode, DiscoveryErrorDetails } from './discovery-error.ts';
export type { DiscoveryEvent } from './discovery-event.ts';
export type {
  CachedService,
  Instance,
  InstanceStatus,
  Registration,
  Resolution,
  ServiceDescription,
} from './instance.ts';
export { combineHash, emptyHash, formatHash, instanceHash } from './set-hash.ts';
export type { SetHash } from './set-hash.ts';
export type { Clock, Random, Timers } from './timers.ts';
export { inVersionRange } from './version-range.ts';
