import type { LimitSample } from './limit-law.ts';

/** How long a window lasts. */
export interface WindowOptions {
  /** At least so long, in milliseconds. */
  readonly windowMs: number;
  /** At most so long, however few the calls. */
  readonly maxWindowMs: number;
  /** Until then it waits for so many calls. */
  readonly minSamples: number;
}

/** What a window came to. */
export interface WindowSummary {
  /** Latency of the given quantile; NaN when all were dropped. */
  readonly rttMs: number;
  /** Calls under way at the start of a call, in the mean. */
  readonly inFlight: number;
  /** Calls that went well, in a second. */
  readonly throughput: number;
  /** Share of the calls that were dropped. */
  readonly dropRatio: number;
}

/** So many latencies are kept of a window: the last ones. */
const kept = 512;

/** Gathers calls until they are enough to judge by. Its memory does not grow with the traffic. */
export class SampleWindow {
  readonly #options: WindowOptions;
  readonly #rtts = new Float64Array(kept);
  #startedAt: number | undefined;
  #count = 0;
  #dropped = 0;
  #inFlight = 0;

  constructor(options: WindowOptions) {
    this.#options = options;
  }

  /** Adds a call. @returns the summary, when the window ends with it. */
  add({ rttMs, inFlight, dropped, now }: LimitSample, quantile: number): WindowSummary | undefined {
    this.#startedAt ??= now;
    this.#inFlight += inFlight;
    // What was dropped took as long as a timeout, or no time at all.
    if (dropped) this.#dropped++;
    else this.#rtts[this.#count++ % kept] = rttMs;
    const { windowMs, maxWindowMs, minSamples } = this.#options;
    const age = now - this.#startedAt;
    const enough = this.#count + this.#dropped >= minSamples;
    return age >= maxWindowMs || (age >= windowMs && enough) ? this.#end(now, age, quantile) : undefined;
  }

  #end(now: number, age: number, quantile: number): WindowSummary {
    const rtts = this.#rtts.slice(0, Math.min(this.#count, kept)).sort();
    const total = this.#count + this.#dropped;
    const summary = {
      rttMs: rtts[Math.min(rtts.length - 1, Math.floor(rtts.length * quantile))] ?? NaN,
      inFlight: this.#inFlight / total,
      throughput: (this.#count * 1000) / age,
      dropRatio: this.#dropped / total,
    };
    this.#startedAt = now;
    this.#count = this.#dropped = this.#inFlight = 0;
    return summary;
  }
}
