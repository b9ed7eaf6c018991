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

// The forward engine.
export { acceptExpectations } from './forward/expectations.ts';
export { acceptUpgrades } from './forward/upgrades.ts';
export { ClientSink } from './forward/client-sink.ts';
export type { ClientSinkSettings } from './forward/client-sink.ts';
export { dispatcherTransport } from './forward/dispatcher-transport.ts';
export { forwardTo } from './forward/forward.ts';
export type { ForwardOptions } from './forward/forward.ts';
export { ForwardedFields } from './forward/forwarded.ts';
export type { ForwardedOptions } from './forward/forwarded.ts';
export type { BodyLimits } from './forward/request-body.ts';
export { RequestPassage } from './forward/request-passage.ts';
export type { PassageFacts } from './forward/request-passage.ts';
export type { Transport, TransportRequest, UpgradeSink } from './forward/transport.ts';
export { Tunnels } from './forward/tunnels.ts';
export type { TunnelEnd, TunnelOptions } from './forward/tunnels.ts';
export { Watch } from './forward/watch.ts';
export type { WatchOptions, Watched, WatchTimers } from './forward/watch.ts';
export type { AnswerSink, Flow, Forward, Identity, Passage, Refusal, Stage } from './passage.ts';
