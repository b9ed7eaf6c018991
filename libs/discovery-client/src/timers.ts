/** A monotonic clock in milliseconds; the default is `performance`. */
export interface Clock {
  now(): number;
}

/** Runs a callback later. `set` answers a handle that `clear` understands. */
export interface Timers {
  set(callback: () => void, delayMs: number): unknown;
  clear(handle: unknown): void;
}

/** Uniform in [0, 1); the default is `Math.random`. */
export type Random = () => number;

/** Timers of the platform that never keep a process alive. */
export const platformTimers: Timers = {
  set(callback, delayMs) {
    const handle: unknown = setTimeout(callback, delayMs);
    (handle as { unref?(): void }).unref?.();
    return handle;
  },
  clear(handle) {
    clearTimeout(handle as number);
  },
};
