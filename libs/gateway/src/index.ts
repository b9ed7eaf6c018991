export { gatewayHealth } from './operations/health.ts';
export type {
  CachedInstances,
  DiscoveryView,
  GatewayHealth,
  GatewayHealthOptions,
} from './operations/health.ts';
export type { Invocation, InvocationAnswer } from './operations/invoke.ts';
export { meshRoutes } from './operations/mesh-routes.ts';
export type { MeshRoutesOptions } from './operations/mesh-routes.ts';
export { meshMetrics } from './operations/metrics.ts';
export type { CircuitMetrics, CircuitStatus, MeshMetrics } from './operations/metrics.ts';
export type { ProxyClient } from './forward/proxy-client.ts';
export { proxyRoutes } from './proxy.ts';
export type { ProxyRoutesOptions } from './proxy.ts';
export type { ProxyRoute } from './routing/route-table.ts';
export { upstreamProblem } from './upstream-failure.ts';
export { Upstream } from './compose/upstream.ts';
export type { Answer, AnswerSource, Loaded, UpstreamOptions, UpstreamSnapshot } from './compose/upstream.ts';
export { cacheRoutes } from './cache/cache-routes.ts';
export type { CacheRoutesOptions } from './cache/cache-routes.ts';
export { cacheSchema } from './cache/cache-policy.ts';
export type { CachePolicy } from './cache/cache-policy.ts';
export type { PurgeTarget } from './cache/purge.ts';
export { ResponseCache } from './cache/response-cache.ts';
export type { CacheSnapshot, ResponseCacheOptions } from './cache/response-cache.ts';
export { aggregate } from './compose/aggregate.ts';
export type { Aggregate, AggregateOptions, PartMeta } from './compose/aggregate.ts';
export { goneSignal } from './compose/gone-signal.ts';
export { part } from './compose/part.ts';
export type { Part, PartContext, PartOptions } from './compose/part.ts';
