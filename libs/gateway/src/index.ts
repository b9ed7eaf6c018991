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

export { createApiKey, hashApiKey, type NewApiKey } from './auth/api-key.ts';
export { ApiKeys, apiKeysSchema, readApiKeys, type ApiKeyRecord } from './auth/api-keys.ts';
export { authSchema, type AuthRules, type AuthRulesInput } from './auth/auth-rules.ts';
export { authentication, identityHeader, type AuthenticationOptions } from './auth/authentication.ts';
export { corsSchema, routeCors, type CorsOptions, type CorsRules } from './auth/cors.ts';
export { IdentitySigner, type IdentitySignerOptions } from './auth/identity-signer.ts';
export type { JwtAlgorithm } from './auth/jwt-algorithms.ts';
export type { JwtKeys } from './auth/jwt-keys.ts';
export { JwtVerifier, type JwtOptions, type Verdict } from './auth/jwt-verifier.ts';
export type { RemoteKeysOptions } from './auth/remote-keys.ts';
export { rateLimit, type RateLimitOptions } from './limits/rate-limit.ts';
export { rateLimitSchema, type RateLimitRules, type RateLimitRulesInput } from './limits/rate-limit-rules.ts';
export { SharedCounts, type RedisLike, type SharedCountsOptions } from './limits/shared-counts.ts';
export type { Identity, Passage, Refusal, Stage } from './passage.ts';
