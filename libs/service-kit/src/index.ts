export { createApp, type App, type AppOptions } from './app.ts';
export {
  boolean,
  ConfigError,
  durationMs,
  integer,
  isConfigError,
  isLoopback,
  port,
  readConfig,
  serviceSettings,
  url,
  type ConfigFault,
  type ServiceConfig,
} from './config.ts';
export {
  Health,
  type CheckReport,
  type HealthCheck,
  type HealthOptions,
  type HealthReport,
  type HealthStatus,
} from './health.ts';
export type { HealthView } from './health-route.ts';
export { identityOf, type Identity } from './identity.ts';
export type { ServiceApp } from './leave.ts';
export { OpenStreams } from './open-streams.ts';
export type { OpenApiInfo } from './openapi.ts';
export { runService, type RunningService, type RunOptions, type ServiceContext } from './run-service.ts';
export type { ServerLimits } from './server-limits.ts';
export type { Siblings } from './siblings.ts';
export { guardOptions } from './security.ts';
export { addCaller, requireScopes, type CallerOptions } from './caller.ts';
export {
  identityVerifier,
  type IdentityVerifierOptions,
  type MeshKey,
  type PassedIdentity,
  type VerifyIdentity,
} from './passed-identity.ts';
