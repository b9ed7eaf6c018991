import type { Timers } from '@mesh/discovery-client';

/** The platform's timers; they do not keep the process alive. */
export const platformTimers: Timers = {
  set: (callback, delayMs) => setTimeout(callback, delayMs).unref(),
  clear: (handle) => {
    clearTimeout(handle as NodeJS.Timeout);
  },
};
