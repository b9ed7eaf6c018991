export { healthServer, type HealthServerOptions } from './health-server.ts';
export {
  followRegistry,
  targetId,
  type FollowedRegistry,
  type FollowOptions,
  type RegisteredChange,
} from './registered-targets.ts';
export {
  healthOverview,
  type HealthOverview,
  type HealthWindow,
  type InstanceHealth,
  type ServiceHealthView,
} from './service-health.ts';
