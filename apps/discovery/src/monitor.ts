import { HealthMonitor, logSink, webhookSink, type Logger } from '@mesh/health-monitor';
import { fileStore } from '@mesh/health-monitor/node';
import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import type { DiscoveryConfig } from './config.ts';

/** Watches what is registered, as the environment says. */
export function monitorOf(config: DiscoveryConfig, log: Logger): HealthMonitor {
  const { ALERT_FILE: file, ALERT_WEBHOOK_URL: url, ALERT_WEBHOOK_SECRET: secret } = config;
  const webhook = url === undefined ? [] : [webhookSink({ url, ...(secret !== undefined && { secret }) })];
  if (file !== undefined) mkdirSync(dirname(file), { recursive: true });
  const monitor = new HealthMonitor({
    defaults: { intervalMs: config.HEALTH_CHECK_INTERVAL_MS },
    sinks: [logSink(log), ...webhook],
    notices: { groupWaitMs: config.ALERT_GROUP_WAIT_MS },
    ...(file !== undefined && { store: fileStore(file) }),
  });
  monitor.on('fault', ({ error }) => {
    log.warn({ err: error }, 'health monitor');
  });
  return monitor;
}
