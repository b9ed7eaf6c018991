import type { CallSignal } from '@mesh/circuit-breaker';

/** The part of an `AbortController` that is used here. */
export interface Controller {
  readonly signal: CallSignal;
  abort(reason: unknown): void;
}

declare const AbortController: new () => Controller;
declare const AbortSignal: { any?(signals: readonly CallSignal[]): CallSignal };

/** The platform's controller. */
export function newController(): Controller {
  return new AbortController();
}

/**
 * A signal that follows both, weakly: it costs `outer` no listener, and goes on after the call has ended, so that a body that
 * is still read is cut when the caller gives up. Without `AbortSignal.any` (before 2024) it is `inner`.
 */
export function both(inner: CallSignal, outer: CallSignal | undefined): CallSignal {
  return outer === undefined ? inner : (AbortSignal.any?.([inner, outer]) ?? inner);
}

/** Whether a reason to abort says that time ran out (`AbortSignal.timeout()`, a time limit), not that nobody wants the answer. */
export function isTimeoutReason(reason: unknown): boolean {
  return typeof reason === 'object' && reason !== null && 'name' in reason && reason.name === 'TimeoutError';
}
