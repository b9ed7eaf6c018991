import type {
  HealthMonitor,
  LatencySummary,
  Outcomes,
  ProberHealth,
  TargetStatus,
  TargetView,
} from '@mesh/health-monitor';

/** Spans of which the health of services can be shown. */
export const windows = ['5m', '1h', '24h'] as const;

/** One of {@link windows}. */
export type HealthWindow = (typeof windows)[number];

/** One instance, with its past. */
export interface InstanceHealth {
  readonly id: string;
  readonly status: TargetStatus;
  /** ISO 8601. */
  readonly since: string;
  readonly message: string | undefined;
  readonly outcomes: Outcomes;
  readonly latencyMs: LatencySummary;
  /** Whether its response times are unusual. */
  readonly unusual: boolean;
  /** Slots of the window, oldest first; not there when nobody asked for it. */
  readonly history?: readonly Outcomes[];
}

/** One service: as well as its best instance, when it has more than one and not all are up `degraded`. */
export interface ServiceHealthView {
  readonly name: string;
  readonly status: TargetStatus;
  readonly instances: readonly InstanceHealth[];
}

/** The answer of `GET /health/services`. */
export interface HealthOverview {
  /** ISO 8601. */
  readonly timestamp: string;
  readonly window: HealthWindow;
  readonly services: readonly ServiceHealthView[];
  /** How the monitor itself does. */
  readonly monitor: ProberHealth;
}

/** What of a monitor's knowledge is wanted. */
export interface OverviewOptions {
  readonly window: HealthWindow;
  /** Default true. */
  readonly history?: boolean;
}

/** Everything that a monitor knows of its targets, by service. */
export function healthOverview(monitor: HealthMonitor, options: OverviewOptions): HealthOverview {
  const { window } = options;
  const byService = Map.groupBy(monitor.targets, ({ service }) => service);
  return {
    timestamp: new Date().toISOString(),
    window,
    services: [...byService].map(([name, targets]) => ({
      name,
      status: statusOf(targets.map(({ status }) => status)),
      instances: targets.map((target) => instanceHealth(target, options)),
    })),
    monitor: monitor.health,
  };
}

function instanceHealth(target: TargetView, { window, history = true }: OverviewOptions): InstanceHealth {
  return {
    id: target.id,
    status: target.status,
    since: new Date(target.since).toISOString(),
    message: target.message,
    outcomes: target.window(window),
    latencyMs: target.latency(window),
    unusual: target.anomaly.active,
    ...(history && { history: target.history(window) }),
  };
}

/** What is left of a service is up, some of it or none. */
function statusOf(statuses: readonly TargetStatus[]): TargetStatus {
  const [first = 'unknown', ...others] = statuses;
  if (others.every((status) => status === first)) return first;
  return statuses.includes('up') || statuses.includes('degraded') ? 'degraded' : 'down';
}
