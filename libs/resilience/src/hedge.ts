import type { Call } from './call.ts';
import { Events } from './events.ts';
import {
  readHedgeSettings,
  type HedgeEvents,
  type HedgeOptions,
  type HedgeSettings,
} from './hedge-options.ts';
import { HedgeRace, type Track } from './hedge-race.ts';
import { LiveQuantile } from './live-quantile.ts';
import type { Next } from './policy.ts';
import { Protection } from './protection.ts';

/** Samples of each of the two windows of the live quantile, unless more are asked for. */
const windowSize = 1000;

/** Answers slow calls by a second attempt; made by {@link hedge}. */
export class Hedge extends Protection {
  readonly #settings: HedgeSettings;
  readonly #latencies: LiveQuantile | undefined;
  readonly #events = new Events<HedgeEvents>();

  /** @throws RangeError when an option is out of range. */
  constructor(options: HedgeOptions = {}) {
    super();
    const settings = readHedgeSettings(options);
    this.#settings = settings;
    if (settings.delayMs !== undefined) return;
    this.#latencies = new LiveQuantile(settings.quantileRatio, Math.max(windowSize, settings.minSamples));
  }

  /** After how many milliseconds a call is hedged now; undefined while too little is known. */
  get delayMs(): number | undefined {
    const latencies = this.#latencies;
    if (latencies === undefined) return this.#settings.delayMs;
    return latencies.count < this.#settings.minSamples ? undefined : latencies.value;
  }

  /** Listens to one kind of event. @returns the way to stop. */
  on<K extends keyof HedgeEvents>(type: K, listener: (event: HedgeEvents[K]) => unknown): () => void {
    return this.#events.on(type, listener);
  }

  layer<T>(next: Next<T>): Next<T> {
    const { budget } = this.#settings;
    const track: Track<T> = {
      next,
      settings: this.#settings,
      events: this.#events,
      latencies: this.#latencies,
    };
    return (call) => {
      if (budget !== undefined) call.payInto(budget);
      const { delayMs } = this;
      if (delayMs === undefined) return this.#measure(next, call);
      return new Promise((resolve) => {
        new HedgeRace(track, call, delayMs, resolve).run();
      });
    };
  }

  #measure<T>(next: Next<T>, call: Call): Promise<T> {
    const { clock } = this.#settings;
    const startedAt = clock.now();
    return next(call).then((value) => {
      this.#latencies?.record(clock.now() - startedAt);
      return value;
    });
  }
}

/**
 * Starts a further attempt when a call is slow, and takes the first good answer; for calls that may be made twice. Losers are aborted,
 * what they still bring is disposed of.
 *
 * Source: J. Dean, L. A. Barroso, "The Tail at Scale" (2013): hedged requests after the 95th percentile.
 *
 * @throws RangeError when an option is out of range.
 * @example
 * const search = hedge({ quantileRatio: 0.95, budget });
 * const answer = await search.execute(({ signal }) => fetch(url, { signal }), { signal });
 */
export function hedge(options?: HedgeOptions): Hedge {
  return new Hedge(options);
}
