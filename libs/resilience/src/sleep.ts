import type { Call } from './call.ts';
import type { Timers } from './time.ts';

/** Resolves after `ms`; an abort of the call ends it at once, with the call's reason. */
export function sleep(ms: number, call: Call, timers: Timers): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = timers.set(() => {
      stop();
      resolve();
    }, ms);
    const stop = call.onAbort(() => {
      timers.clear(timer);
      // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors -- the caller's own reason
      reject(call.reason);
    });
  });
}
