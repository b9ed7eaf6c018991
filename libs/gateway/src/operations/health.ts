import type { ServiceClient } from '@mesh/service-client';
import { circuitMetrics, type CircuitMetrics } from './metrics.ts';
import type { Upstream } from '../compose/upstream.ts';
import type { CacheSnapshot } from '../cache/response-cache.ts';
import type { Overload, OverloadSnapshot } from './overload.ts';

/** The part of a discovery client that the health shows; a `DiscoveryClient` fits. */
export interface DiscoveryView {
  readonly status: 'connected' | 'disconnected';
  cache(): readonly { readonly name: string; readonly ttlMs: number; readonly instances: number }[];
  peek(name: string): { readonly instances: readonly { readonly id: string }[] } | undefined;
}

/** What {@link gatewayHealth} takes. */
export interface GatewayHealthOptions {
  /** Who answers: `api-gateway`, `api-gateway-8000`. */
  readonly identity: { readonly service: string; readonly instance: string };
  /** Port on which the gateway listens. */
  readonly port: number;
  readonly discovery: DiscoveryView;
  /** Address of the registry. */
  readonly server: string;
  /** Services behind the gateway that have a circuit of their own. Default: none. */
  readonly upstreams?: readonly Upstream[];
  /** Its instances are summed up. Default: none are. */
  readonly client?: Pick<ServiceClient, 'getSnapshot'>;
  /** Its state is told as `overload`. Default: it is not. */
  readonly overload?: Pick<Overload, 'getSnapshot'>;
  /** Its ratio of hits is told as `responseCache`. Default: it is not. */
  readonly responseCache?: { getSnapshot(): Pick<CacheSnapshot, 'hitRatio'> };
}

/** Whether the instances of a service are known, for how many more seconds, and how many they are. */
export interface CachedInstances {
  readonly cached: boolean;
  readonly ttl: number;
  readonly services: number;
}

/** The health of a gateway. */
export interface GatewayHealth {
  readonly service: string;
  readonly instance: string;
  /** `degraded` while the registry cannot be reached or a circuit is not closed: answers come from a cache or are missing. */
  readonly status: 'healthy' | 'degraded';
  readonly port: number;
  /** ISO 8601, UTC. */
  readonly timestamp: string;
  readonly serviceDiscovery: { readonly status: 'connected' | 'disconnected'; readonly server: string };
  /** By service. */
  readonly cache: Readonly<Record<string, CachedInstances>>;
  readonly circuitBreakers: Readonly<Record<string, CircuitMetrics>>;
  /** By service that was looked up: its instances, and how many of them would be asked now (their circuit lets calls pass). */
  readonly services: Readonly<Record<string, { readonly instances: number; readonly available: number }>>;
  readonly overload?: OverloadSnapshot;
  /** Part of the cacheable requests that were answered from memory, 0..1. */
  readonly responseCache?: { readonly hitRatio: number };
}

/** The body of the gateway's `GET /health`. Looks only at what this process knows: it asks nobody and is always fast. */
export function gatewayHealth(options: GatewayHealthOptions): GatewayHealth {
  const { identity, port, discovery, server, upstreams = [], client, overload, responseCache } = options;
  const services = client?.getSnapshot().services ?? {};
  const circuitBreakers = circuitMetrics({ services }, upstreams);
  const isWell =
    discovery.status === 'connected' &&
    Object.values(circuitBreakers).every(({ status }) => status === 'CLOSED');
  return {
    service: identity.service,
    instance: identity.instance,
    status: isWell ? 'healthy' : 'degraded',
    port,
    timestamp: new Date().toISOString(),
    serviceDiscovery: { status: discovery.status, server: withoutSecrets(server) },
    cache: cacheOf(discovery, upstreams),
    circuitBreakers,
    services: servicesOf(discovery, services),
    ...(overload && { overload: overload.getSnapshot() }),
    ...(responseCache && { responseCache: { hitRatio: responseCache.getSnapshot().hitRatio } }),
  };
}

function servicesOf(
  discovery: DiscoveryView,
  called: ReturnType<ServiceClient['getSnapshot']>['services'],
): GatewayHealth['services'] {
  return Object.fromEntries(
    discovery.cache().map(({ name }) => {
      // Who is there says the registry; who is avoided says the client, which may still remember some that left.
      const listed = discovery.peek(name)?.instances ?? [];
      const avoided = new Set(
        called[name]?.instances.filter(({ available }) => !available).map(({ id }) => id),
      );
      return [
        name,
        { instances: listed.length, available: listed.filter(({ id }) => !avoided.has(id)).length },
      ];
    }),
  );
}

function cacheOf(
  discovery: DiscoveryView,
  upstreams: readonly Upstream[],
): Readonly<Record<string, CachedInstances>> {
  const cached = discovery.cache().map(({ name, ttlMs, instances }): [string, CachedInstances] => {
    return [name, { cached: true, ttl: Math.round(ttlMs / 1_000), services: instances }];
  });
  const known = upstreams.map(({ service }): [string, CachedInstances] => {
    return [service, { cached: false, ttl: 0, services: 0 }];
  });
  return Object.fromEntries([...known, ...cached]);
}

/** The address as it may be shown: a URL can carry a password. */
function withoutSecrets(server: string): string {
  return server.replace(/^([a-z][a-z0-9+.-]*:\/\/)[^/?#]*@/i, '$1');
}
