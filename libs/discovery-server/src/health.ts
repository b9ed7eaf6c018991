import type { Registry } from './registry.ts';

/** What `GET /health` answers. */
export interface RegistryHealth {
  readonly service: 'discovery';
  readonly status: 'healthy';
  /** Seconds since the registry was made. */
  readonly uptime: number;
  /** ISO 8601. */
  readonly timestamp: string;
  /** Number of names with an instance. */
  readonly services: number;
  readonly instances: number;
  /** Number of open streams. */
  readonly watchers: number;
  readonly revision: string;
}

/**
 * The state of a registry in numbers, for a health route.
 *
 * @param watchers what counts the open streams, a `WatchHub`; none when left out.
 */
export function registryHealth(
  registry: Registry,
  watchers: { readonly size: number } = { size: 0 },
): RegistryHealth {
  return {
    service: 'discovery',
    status: 'healthy',
    uptime: Math.round(registry.uptimeMs) / 1000,
    timestamp: registry.timestamp,
    services: registry.serviceCount,
    instances: registry.size,
    watchers: watchers.size,
    revision: registry.revision,
  };
}
