import type { CallSignal, Controller } from '../abort-signal.ts';

type Listen = CallSignal['addEventListener'];

declare const AbortController: new () => Controller;

/** A caller that may give up; it counts who listens to it. */
export function caller(): Controller & { readonly listeners: number } {
  const controller = new AbortController();
  let listeners = 0;
  const { signal } = controller;
  const count =
    (step: number, original: Listen): Listen =>
    (type, listener) => {
      listeners += step;
      original(type, listener);
    };
  Object.assign(signal, {
    addEventListener: count(1, signal.addEventListener.bind(signal)),
    removeEventListener: count(-1, signal.removeEventListener.bind(signal)),
  });
  return {
    signal,
    abort: (reason) => {
      controller.abort(reason);
    },
    get listeners() {
      return listeners;
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
