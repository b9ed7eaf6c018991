import type { CallSignal } from './abort-signal.ts';

/** What a protected function is given. */
export interface CallContext {
  /** The caller's signal, as passed to `execute`. */
  readonly signal: CallSignal | undefined;
}

/** The context of a call without a signal. */
export const noSignal: CallContext = Object.freeze({ signal: undefined });

/** Calls `fn`; what it returns or throws, now or later, comes out of one promise. */
export function start<C, T>(fn: (context: C) => T | PromiseLike<T>, context: C): Promise<Awaited<T>> {
  try {
    const result = fn(context);
    return (result instanceof Promise ? result : Promise.resolve(result)) as Promise<Awaited<T>>;
  } catch (error) {
    return rejection(error);
  }
}

const done = Promise.resolve();

/**
 * A promise that rejects in the next microtask. One that is born rejected costs three times as much: the engine first
 * reports it as unhandled and takes that back when the caller awaits it.
 */
export function rejection(reason: unknown): Promise<never> {
  return new Promise((_, reject) => {
    void done.then(() => {
      // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors -- passed on as it was thrown
      reject(reason);
    });
  });
}
