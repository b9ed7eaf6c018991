export type { AccessOptions, AccessToken, Scope } from './access.ts';
export type { AuditEvent, AuditListener } from './audit.ts';
export type { Change, RemoveReason } from './change-log.ts';
export { discoveryServer } from './discovery-server.ts';
export type { DiscoveryServerOptions } from './discovery-server.ts';
export { DiskStore } from './disk-store.ts';
export type { DiskStoreOptions } from './disk-store.ts';
export { Guardian } from './guardian.ts';
export type { GuardianOptions } from './guardian.ts';
export type { GateOptions } from './gate.ts';
export type { HealthCheck } from './health-check.ts';
export { registryHealth } from './health.ts';
export type { HealthParts, RegistryHealth } from './health.ts';
export type { Override } from './instance-record.ts';
export type { LeaseJudge, LeaseVerdict } from './lease-judge.ts';
export { Liveness } from './liveness.ts';
export type { LivenessOptions } from './liveness.ts';
export { addOpenMetrics } from './metrics-hook.ts';
export { openStore } from './open-store.ts';
export type { OverrideChange, StoredOverride } from './overrides.ts';
export { checkUrl, incarnationHeader, probeInstance } from './probe.ts';
export type { Probe } from './probe.ts';
export { mayConnect, probeLookup } from './probe-address.ts';
export type { Prober } from './prober.ts';
export type { ProtectionOptions } from './protection.ts';
export type { QuotaOptions } from './quota.ts';
export type { Reach, Reacher, ReachTarget } from './reach.ts';
export { RedisStore } from './redis-store.ts';
export type { RedisStoreOptions } from './redis-store.ts';
export type {
  DeregistrationRequest,
  HeartbeatRequest,
  InstanceIdentity,
  Lease,
  RegistrationRequest,
} from './registration.ts';
export { isRegistryError, RegistryError } from './registry-error.ts';
export type { RegistryErrorCode } from './registry-error.ts';
export { RegistryMetrics, wantsOpenMetrics } from './registry-metrics.ts';
export type { MetricParts, MetricsText } from './registry-metrics.ts';
export type { RegistryStore, StoreListener } from './registry-store.ts';
export { Registry } from './registry.ts';
export type { BeatResult, Registered, RegistryOptions, Renewal } from './registry.ts';
export type { RegistryView } from './registry-view.ts';
export type { ServiceEntry, ServiceView, View, ViewHashes } from './service-entry.ts';
export { SessionHub } from './session-hub.ts';
export type { SessionHubOptions } from './session-hub.ts';
export type { StoredInstance } from './stored-instance.ts';
export { WatchHub } from './watch-hub.ts';
export type { WatchHubOptions, WatchRequest } from './watch-hub.ts';
export type { WatchStream } from './watcher.ts';
