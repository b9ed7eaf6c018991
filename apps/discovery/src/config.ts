import { durationMs, port, serviceSettings, url } from '@mesh/service-kit';
import { z } from 'zod';

/** The environment of the registry. */
export const discoveryConfig = z.object({
  ...serviceSettings,
  PORT: port(3000),
  /** Between two health checks of an instance that is what it was; at most a second while it changes. */
  HEALTH_CHECK_INTERVAL_MS: durationMs(10_000).refine((ms) => ms >= 10, 'must be at least 10'),
  /** How long the first alert of a service waits for others before people are told. */
  ALERT_GROUP_WAIT_MS: durationMs(10_000),
  /** File in which alerts outlive a restart. Default: they do not. */
  ALERT_FILE: z.string().min(1).optional(),
  /** Where notices are posted. Default: they are logged only. */
  ALERT_WEBHOOK_URL: url('http://127.0.0.1').optional(),
  /** Key of the signature of those posts. */
  ALERT_WEBHOOK_SECRET: z.string().min(1).optional(),
});

export type DiscoveryConfig = z.output<typeof discoveryConfig>;
