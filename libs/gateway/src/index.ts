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
export type { ProxyRoute, ProxyRoutesOptions } from './proxy.ts';
export { upstreamProblem } from './upstream-failure.ts';
export { Upstream } from './compose/upstream.ts';
export type { Answer, AnswerSource, Loaded, UpstreamOptions, UpstreamSnapshot } from './compose/upstream.ts';

// operations/
export { priorities, type Priority, type ShedReason } from './operations/admission.ts';
export type { BodyPaceOptions } from './forward/body-pace.ts';
export { LoopDelay, type DelaySource, type LoopDelayOptions } from './operations/loop-delay.ts';
export type { MetricFamily } from './operations/metric-families.ts';
export type { MetricsSources } from './operations/metrics-route.ts';
export { Observation, type Observers } from './operations/observation.ts';
export { observeRoutes } from './operations/own-exchange.ts';
export { Overload, type OverloadOptions, type OverloadSnapshot } from './operations/overload.ts';
export { RouteMetrics, type RouteMetricsOptions, type RouteSeries } from './operations/route-metrics.ts';
export type { Siblings } from './operations/siblings.ts';
export {
  TraceLog,
  type ExchangeTrace,
  type TraceEntry,
  type TraceFilter,
  type TraceLogOptions,
} from './operations/trace-log.ts';

// routing/
export { createGateway, Gateway } from './gateway.ts';
export type { GatewayOptions, GatewaySnapshot, RouteChange } from './gateway.ts';
export type { RoutePolicies } from './lane/lane.ts';
export { readRoutes } from './routing/read-routes.ts';
export type { ReadRoutesOptions } from './routing/read-routes.ts';
export { isRouteConfigError, RouteConfigError } from './routing/config-error.ts';
export type { RouteFault } from './routing/config-error.ts';
export type { Route, RouteInput, RoutesInput } from './routing/route-schema.ts';
export type { RouteDiff } from './routing/route-diff.ts';
export type { RolledBack } from './routing/split-guard.ts';
export type { Candidate, Explanation, RequestDescription } from './routing/explain.ts';
export { followRoutesFile } from './routing/follow-routes-file.ts';
export type { FollowedFile, FollowOptions } from './routing/follow-routes-file.ts';
export { inspectRoutes } from './routing/inspect-routes.ts';
export type { InspectRoutesOptions } from './routing/inspect-routes.ts';

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

export { createApiKey, hashApiKey, type NewApiKey } from './auth/api-key.ts';
export { ApiKeys, apiKeysSchema, readApiKeys, type ApiKeyRecord } from './auth/api-keys.ts';
export { authSchema, type AuthRules, type AuthRulesInput } from './auth/auth-rules.ts';
export { authentication, identityHeader, type AuthenticationOptions } from './auth/authentication.ts';
export { corsSchema, type CorsRules } from './auth/cors.ts';
export { IdentitySigner, type IdentitySignerOptions } from './auth/identity-signer.ts';
export type { JwtAlgorithm } from './auth/jwt-algorithms.ts';
export type { JwtKeys } from './auth/jwt-keys.ts';
export { JwtVerifier, type JwtOptions, type Verdict } from './auth/jwt-verifier.ts';
export type { RemoteKeysOptions } from './auth/remote-keys.ts';
export { rateLimit, type RateLimitOptions } from './limits/rate-limit.ts';
export { rateLimitSchema, type RateLimitRules, type RateLimitRulesInput } from './limits/rate-limit-rules.ts';
export { SharedCounts, type RedisLike, type SharedCountsOptions } from './limits/shared-counts.ts';
export type { AnswerSink, Flow, Forward, Identity, Passage, Refusal, Stage } from './passage.ts';
