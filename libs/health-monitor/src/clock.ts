/**
 * The one time of this library: milliseconds since 1970 that never go backwards, so that what is saved means the same after a restart
 * and a clock that is set by hand moves nothing.
 */
export interface Clock {
  now(): number;
}

/** Where waiting is done. A handle is whatever `setTimeout` answers. */
export interface Timers {
  setTimeout(callback: () => void, delayMs: number): unknown;
  clearTimeout(handle: unknown): void;
}

declare const performance: { readonly timeOrigin: number; now(): number };
declare function setTimeout(callback: () => void, delayMs: number): unknown;
declare function clearTimeout(handle: unknown): void;

/** The platform's monotonic clock, counted from 1970. */
export const platformClock: Clock = { now: () => performance.timeOrigin + performance.now() };

/** Lets everybody else run; until then the process lives. */
export const breathe = (): Promise<void> =>
  new Promise((resolve) => {
    setTimeout(resolve, 0);
  });

/** The platform's timers; in Node they do not keep the process alive. */
export const platformTimers: Timers = {
  setTimeout(callback, delayMs) {
    const handle = setTimeout(callback, delayMs);
    (handle as { unref?: () => void }).unref?.();
    return handle;
  },
  clearTimeout(handle) {
    clearTimeout(handle);
  },
};
