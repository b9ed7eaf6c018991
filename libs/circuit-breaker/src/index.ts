export type { AbortSignalLike, CallSignal } from './abort-signal.ts';
export type { Abortable } from './abortable.ts';
export {
  exponentialBreak,
  type BreakDuration,
  type ExponentialBreakOptions,
  type Opening,
} from './break-duration.ts';
export { CircuitBreaker, circuitBreaker, type CallOptions, type ExecuteOptions } from './circuit-breaker.ts';
export { CircuitBreakers, type CircuitBreakersOptions } from './circuit-breakers.ts';
export { consecutiveFailures } from './consecutive-failures.ts';
export { CircuitOpenError, isCircuitOpenError, type Refusal, type RefusalReason } from './errors.ts';
export type { CircuitEventName, CircuitEvents } from './events.ts';
export type { Clock, Gate, Outcome, Permit } from './gate.ts';
export type { Isolation } from './isolation.ts';
export type { CallResult, CircuitBreakerOptions, CircuitMode, CircuitTuning } from './options.ts';
export type { CallOutcome } from './outcome.ts';
export type { SavedCircuit } from './saved-circuit.ts';
export type { CircuitSnapshot, CircuitState, CircuitTotals } from './snapshot.ts';
export type { CallContext } from './start.ts';
export { successAverage, type SuccessAverageOptions } from './success-average.ts';
export { any, type Needs, type TripCounts, type TripMeter, type TripRule } from './trip-rule.ts';
export {
  failureCount,
  failureRate,
  slowCallRate,
  windowRule,
  type WindowOptions,
  type WindowRuleOptions,
} from './window-rule.ts';
export type { AsyncMethod, MethodDecorator, WrapOptions } from './wrap.ts';
