export type { ObservedCall } from './call-tally.ts';
export { healthServer, type HealthServerOptions } from './health-server.ts';
export {
  followRegistry,
  targetId,
  type FollowedRegistry,
  type FollowOptions,
  type RegisteredChange,
} from './registered-targets.ts';
export {
  RemoteMonitor,
  type MonitoredInstance,
  type MonitoredServiceView,
  type MonitorView,
  type RemoteMonitorOptions,
} from './remote-monitor.ts';
export type { CallReport } from './sample-route.ts';
export {
  healthOverview,
  type HealthOverview,
  type HealthWindow,
  type InstanceHealth,
  type OverviewOptions,
  type ServiceHealthView,
} from './service-health.ts';
