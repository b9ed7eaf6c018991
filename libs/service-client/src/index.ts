export { strategies } from '@mesh/load-balancer';
export type { Strategy, StrategyName } from '@mesh/load-balancer';
export { callContext, contextOf, createCallContext } from './call-context.ts';
export type { CallContext, CallWishes, ServiceDispatchOptions } from './call-context.ts';
export type { CallTotalsSnapshot } from './call-totals.ts';
export type { Discovery, Resolution, ServiceInstance } from './discovery.ts';
export {
  NoInstanceError,
  TimeoutError,
  UpstreamError,
  isNoInstanceError,
  isTimeoutError,
  isUpstreamError,
} from './errors.ts';
export type { AttemptResult, CallResult, Observer } from './observer.ts';
export { CallPolicy, callPolicy } from './call-policy.ts';
export type { CallPolicyOptions, HedgeRules, RetryRules } from './call-policy.ts';
export { retry } from './retry.ts';
export type { RetryOptions } from './retry.ts';
export { ServiceClient, createServiceClient } from './service-client.ts';
export type {
  JsonAnswer,
  ServiceCall,
  ServiceClientOptions,
  ServiceClientSnapshot,
} from './service-client.ts';
export { ServicePools } from './service-pool.ts';
export type {
  Balancing,
  InstanceSnapshot,
  ServiceOptions,
  ServicePoolOptions,
  ServiceSnapshot,
} from './service-pool.ts';
export { ServiceResponse } from './service-response.ts';
export { services } from './services.ts';
export type { ServicesOptions } from './services.ts';
export type { LatencyHistogram, ServiceFiguresSnapshot } from './service-figures.ts';
export type { TlsOptions } from './tls-options.ts';
export type { Address, Flow, Peer, Sink, Transport, TransportRequest } from './transport.ts';
export type { GateOptions } from './service-gates.ts';
export type { AttemptSpan, AttemptStart, Tracing } from './tracing.ts';
export { timeLeftHeader } from './headers.ts';
