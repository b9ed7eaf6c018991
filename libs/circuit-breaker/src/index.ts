export type { AbortSignalLike, CallSignal } from './abort-signal.ts';
export { CircuitBreaker, circuitBreaker, type ExecuteOptions } from './circuit-breaker.ts';
export { CircuitOpenError, isCircuitOpenError, type Refusal, type RefusalReason } from './errors.ts';
export type { CircuitEventName, CircuitEvents } from './events.ts';
export type { Clock, Gate, Outcome, Permit } from './gate.ts';
export type { CallResult, CircuitBreakerOptions } from './options.ts';
export type { CircuitSnapshot, CircuitState, CircuitTotals } from './snapshot.ts';
export type { CallContext } from './start.ts';
export type { AsyncMethod, MethodDecorator, WrapOptions } from './wrap.ts';
