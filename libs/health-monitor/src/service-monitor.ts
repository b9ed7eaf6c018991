import type { AlertThresholds } from './alert-thresholds.ts';
import type { Alert } from './alert.ts';
import { fetchCheck, type HealthFetch } from './fetch-check.ts';
import { HealthMonitor } from './monitor.ts';
import type { HealthMonitorOptions } from './options.ts';
import { alertThresholds } from './alert-thresholds.ts';
import type { TargetView } from './target-view.ts';

/** A service by its health endpoint. */
export interface MonitoredService {
  readonly name: string;
  /** Its URL. */
  readonly healthEndpoint: string;
  /** Milliseconds between two checks. */
  readonly checkInterval: number;
  readonly alertThresholds: AlertThresholds;
  /** Longest that one check may take, in milliseconds. Default 5000, at most the interval. */
  readonly timeout?: number;
}

/** The figures of a health check. */
export interface HealthMetrics {
  /** Milliseconds of this check. */
  readonly responseTime: number;
  /** 0 to 1, of the last five minutes. */
  readonly availability: number;
  /** 0 to 1, of the last five minutes. */
  readonly errorRate: number;
  /** Checks and calls in a second, over the last five minutes. */
  readonly throughput: number;
  readonly lastCheck: Date;
}

/** What a health check found: whatever the service said, and the figures. */
export interface ServiceHealth {
  readonly [said: string]: unknown;
  readonly status: unknown;
  readonly metrics: HealthMetrics;
}

/** Options of {@link serviceMonitor}. */
export interface ServiceMonitorOptions extends Omit<HealthMonitorOptions, 'targets' | 'rules' | 'defaults'> {
  readonly services: readonly MonitoredService[];
  readonly onHealthCheck?: (serviceName: string, health: ServiceHealth) => void;
  /** Hears of each alert when it fires, is acknowledged, gets worse and is resolved. */
  readonly onAlert?: (serviceName: string, alert: Alert) => void;
  /** Default: the platform's. */
  readonly fetch?: HealthFetch;
}

/**
 * Watches services by their health endpoints: thresholds in, health and alerts out. Start it with `start()`.
 *
 * @throws RangeError naming the option and its value.
 */
export function serviceMonitor(options: ServiceMonitorOptions): HealthMonitor {
  const { services, onHealthCheck, onAlert, fetch, ...rest } = options;
  const monitor = new HealthMonitor({
    ...rest,
    rules: [],
    targets: services.map(({ name, healthEndpoint, checkInterval, timeout, ...service }) => ({
      id: name,
      check: fetchCheck(healthEndpoint, fetch === undefined ? {} : { fetch }),
      intervalMs: checkInterval,
      timeoutMs: timeout ?? Math.min(5000, checkInterval),
      rules: alertThresholds(service.alertThresholds),
    })),
  });
  monitor.on('check', ({ target, result, latencyMs }) => {
    onHealthCheck?.(target.id, healthOf(target, result, latencyMs ?? 0));
  });
  monitor.on('alert', ({ alert }) => {
    if (alert !== undefined && alert.state !== 'pending') onAlert?.(alert.target, alert);
  });
  return monitor;
}

function healthOf(
  target: TargetView,
  { status, message, details }: { status?: string; message?: string; details?: unknown },
  responseTime: number,
): ServiceHealth {
  const { availability, errorRate, throughput, to } = target.window('5m');
  const said = typeof details === 'object' && details !== null ? { ...details } : {};
  return {
    status: status === 'down' ? 'error' : status,
    ...(status === 'down' && { error: message ?? 'failed' }),
    ...said,
    metrics: {
      responseTime,
      availability: availability ?? (status === 'down' ? 0 : 1),
      errorRate: errorRate ?? 0,
      throughput,
      lastCheck: new Date(to),
    },
  };
}
