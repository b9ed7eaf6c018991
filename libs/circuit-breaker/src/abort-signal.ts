/** The part of an `AbortSignal` that is used here. */
export interface AbortSignalLike {
  readonly aborted: boolean;
  readonly reason?: unknown;
  addEventListener(type: 'abort', listener: () => void): void;
  removeEventListener(type: 'abort', listener: () => void): void;
}

/** The platform's `AbortSignal` where your types know one (DOM, Node), else the part of it that is used here. */
export type CallSignal = typeof globalThis extends { AbortSignal: { prototype: infer Signal } }
  ? Signal extends AbortSignalLike
    ? Signal
    : AbortSignalLike
  : AbortSignalLike;

/**
 * Whether the signal tells that nobody wants the answer any more. `AbortSignal.timeout()` does not: its caller
 * still wanted it, and what was called took too long.
 */
export function isAbandoned(signal: AbortSignalLike | undefined): boolean {
  return signal?.aborted === true && !isTimeout(signal.reason);
}

export function isTimeout(reason: unknown): boolean {
  return typeof reason === 'object' && reason !== null && 'name' in reason && reason.name === 'TimeoutError';
}

/** The signal's abort as something to listen to; what listening answers is the way to stop. */
export function listenTo(signal: AbortSignalLike): (listener: () => void) => () => void {
  return (listener) => {
    signal.addEventListener('abort', listener);
    return () => {
      signal.removeEventListener('abort', listener);
    };
  };
}
