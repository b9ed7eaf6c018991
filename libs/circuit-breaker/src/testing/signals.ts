import type { CallSignal } from '../abort-signal.ts';

/** The platform's controller. */
export interface Controller {
  readonly signal: CallSignal;
  abort(reason?: unknown): void;
}

declare const AbortController: new () => Controller;

export const newController = (): Controller => new AbortController();

/** What a caller that limits its time aborts with. */
export const timeoutError = (): Error => Object.assign(new Error('too slow'), { name: 'TimeoutError' });

/** A controller whose signal counts who listens to its abort. */
export function countingController(): Controller & { readonly listeners: number } {
  const real = newController();
  const counts = new Map<string, number>();
  const count = (type: string, change: 1 | -1): void => {
    counts.set(type, (counts.get(type) ?? 0) + change);
  };
  const signal: CallSignal = {
    get aborted() {
      return real.signal.aborted;
    },
    get reason(): unknown {
      return real.signal.reason;
    },
    addEventListener: (type, listener) => {
      count(type, 1);
      real.signal.addEventListener(type, listener);
    },
    removeEventListener: (type, listener) => {
      count(type, -1);
      real.signal.removeEventListener(type, listener);
    },
  };
  return {
    signal,
    abort: (reason) => {
      real.abort(reason);
    },
    get listeners() {
      return counts.get('abort') ?? 0;
    },
  };
}
