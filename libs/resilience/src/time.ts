declare const performance: Clock;
declare function setTimeout(callback: () => void, delayMs: number): unknown;
declare function clearTimeout(handle: unknown): void;

/** Time in milliseconds that never goes back, such as `performance`. */
export interface Clock {
  now(): number;
}

/** Runs a callback later. `set` answers a handle that `clear` understands. */
export interface Timers {
  set(callback: () => void, delayMs: number): unknown;
  clear(handle: unknown): void;
}

/** Uniform in [0, 1), as `Math.random`. */
export type Random = () => number;

/** The longest delay that platform timers understand (2^31 - 1 ms, 24.8 days); what is longer would run at once. */
export const maxDelayMs = 2 ** 31 - 1;

/** The object itself: to look up the global costs as much as to ask it. */
export const platformClock: Clock = performance;

/** `setTimeout` and `clearTimeout`. */
export const platformTimers: Timers = {
  set: (callback, delayMs) => setTimeout(callback, Math.min(delayMs, maxDelayMs)),
  clear: (handle) => {
    clearTimeout(handle);
  },
};
