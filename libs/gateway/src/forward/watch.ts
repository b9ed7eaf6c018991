/** What a {@link Watch} looks after. */
export interface Watched {
  /** Called at every round. */
  check(nowMs: number): void;
}

/** Timers as the platform has them; a test brings its own. */
export interface WatchTimers {
  setInterval(callback: () => void, ms: number): { unref?(): unknown };
  clearInterval(timer: { unref?(): unknown }): void;
}

/** How a {@link Watch} measures time. */
export interface WatchOptions {
  /** Time between two rounds, in ms, and so how late a limit may be noticed. Default 250. */
  readonly intervalMs?: number;
  /** Monotonic clock. Default `performance`. */
  readonly clock?: { now(): number };
  readonly timers?: WatchTimers;
}

const platform: WatchTimers = {
  setInterval: (callback, ms) => setInterval(callback, ms),
  clearInterval: (timer) => {
    clearInterval(timer as NodeJS.Timeout);
  },
};

/**
 * One coarse timer for the time limits of all exchanges: a timer for each costs more than what it guards. It runs only while there is
 * something to look after, and does not keep the process alive.
 */
export class Watch {
  readonly #watched = new Set<Watched>();
  readonly #intervalMs: number;
  readonly #clock: { now(): number };
  readonly #timers: WatchTimers;
  #timer: { unref?(): unknown } | undefined;
  #now = 0;

  constructor({ intervalMs = 250, clock = performance, timers = platform }: WatchOptions = {}) {
    this.#intervalMs = intervalMs;
    this.#clock = clock;
    this.#timers = timers;
  }

  /** The time of the last round, or of the first `add` after a pause: exact enough for a limit of seconds. */
  get nowMs(): number {
    return this.#now;
  }

  add(watched: Watched): void {
    this.#watched.add(watched);
    if (this.#timer !== undefined) return;
    this.#now = this.#clock.now();
    this.#timer = this.#timers.setInterval(this.#round, this.#intervalMs);
    this.#timer.unref?.();
  }

  remove(watched: Watched): void {
    this.#watched.delete(watched);
  }

  readonly #round = (): void => {
    this.#now = this.#clock.now();
    // Stops here, not in `remove`: one request after another would start and stop it all the time.
    if (this.#watched.size === 0 && this.#timer !== undefined) {
      this.#timers.clearInterval(this.#timer);
      this.#timer = undefined;
    }
    for (const watched of this.#watched) watched.check(this.#now);
  };
}
