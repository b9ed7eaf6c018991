import type { CallSignal } from '@mesh/circuit-breaker';
import type { Controller } from '../abort-signal.ts';

type Listen = CallSignal['addEventListener'];

declare const AbortController: new () => Controller;

/** A caller that may give up; it counts who listens to it. */
export function caller(): Controller & { readonly listeners: number } {
  const controller = new AbortController();
  const { signal } = controller;
  const listeners = new Set<() => void>();
  const add: Listen = signal.addEventListener.bind(signal);
  const remove: Listen = signal.removeEventListener.bind(signal);
  Object.assign(signal, {
    addEventListener: (type: 'abort', listener: () => void) => {
      listeners.add(listener);
      add(type, listener);
    },
    removeEventListener: (type: 'abort', listener: () => void) => {
      listeners.delete(listener);
      remove(type, listener);
    },
  });
  return {
    signal,
    abort: (reason) => {
      controller.abort(reason);
    },
    get listeners() {
      return listeners.size;
    },
  };
}

/** A promise that a test settles. */
export function pending<T = unknown>(): {
  readonly promise: Promise<T>;
  readonly resolve: (value: T) => void;
  readonly reject: (reason: unknown) => void;
} {
  return Promise.withResolvers<T>();
}
