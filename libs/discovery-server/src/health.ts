import type { Registry } from './registry.ts';

/** What `GET /health` answers. */
export interface RegistryHealth {
  readonly service: 'discovery';
  readonly status: 'healthy';
  /** Seconds since the registry was made. */
  readonly uptime: number;
  /** ISO 8601. */
  readonly timestamp: string;
  /** Number of services with an instance. */
  readonly services: number;
  readonly instances: number;
  /** Number of open streams. */
  readonly watchers: number;
  /** Number of instances that hold a session open. */
  readonly sessions: number;
  /** Whether instances are kept although their lease is over, because so many are. */
  readonly protection: boolean;
  readonly revision: string;
}

/** What else is counted. */
export interface HealthParts {
  readonly sessions?: { readonly size: number } | undefined;
  readonly guardian?: { readonly isProtecting: boolean } | undefined;
}

/**
 * The state of a registry in numbers, for a health route.
 *
 * @param watchers what counts the open streams, a `WatchHub`; none when left out.
 */
export function registryHealth(
  registry: Registry,
  watchers: { readonly size: number } = { size: 0 },
  { sessions, guardian }: HealthParts = {},
): RegistryHealth {
  return {
    service: 'discovery',
    status: 'healthy',
    uptime: Math.round(registry.uptimeMs) / 1000,
    timestamp: registry.timestamp,
    services: registry.serviceCount,
    instances: registry.size,
    watchers: watchers.size,
    sessions: sessions?.size ?? 0,
    protection: guardian?.isProtecting ?? false,
    revision: registry.revision,
  };
}
