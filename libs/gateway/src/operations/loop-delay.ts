import { monitorEventLoopDelay } from 'node:perf_hooks';
import { between } from '../range.ts';

/** Where the delays come from; a histogram of `node:perf_hooks` fits. */
export interface DelaySource {
  /** Mean time between two looks since the last reset, in ns; NaN before the first. */
  readonly mean: number;
  reset(): void;
  disable(): unknown;
}

/** What {@link LoopDelay} takes. */
export interface LoopDelayOptions {
  /** Mean delay in ms from which the process counts as slow (pressure 1); twice of it is very slow (2). Default 200. */
  readonly maxDelayMs?: number;
  /** How long one look holds, in ms. Default 500. */
  readonly sampleMs?: number;
  /** Default `monitorEventLoopDelay`. */
  readonly source?: DelaySource;
  /** Default `performance`. */
  readonly clock?: { now(): number };
}

/** How often Node's monitor looks, in ms; this much of what it measures is no delay. */
const resolutionMs = 20;

/**
 * How late the event loop is, as the `pressure` of an `Overload`: a process that is late with everything should not begin anything new.
 * It has no timer of its own; it looks when it is asked.
 *
 * @throws RangeError when an option is out of range.
 */
export class LoopDelay {
  readonly #source: DelaySource;
  readonly #maxDelayMs: number;
  readonly #sampleMs: number;
  readonly #clock: { now(): number };
  #readAt: number;
  #delayMs = 0;

  constructor({ maxDelayMs = 200, sampleMs = 500, source, clock = performance }: LoopDelayOptions = {}) {
    this.#maxDelayMs = between('loopDelay: maxDelayMs', maxDelayMs, 1, 60_000);
    this.#sampleMs = between('loopDelay: sampleMs', sampleMs, 10, 60_000);
    this.#source = source ?? started();
    this.#clock = clock;
    this.#readAt = clock.now();
  }

  /** Mean delay in the last whole sample, in ms. */
  get delayMs(): number {
    const now = this.#clock.now();
    if (now - this.#readAt >= this.#sampleMs) {
      this.#readAt = now;
      const { mean } = this.#source;
      this.#delayMs = Number.isNaN(mean) ? 0 : Math.max(0, mean / 1e6 - resolutionMs);
      this.#source.reset();
    }
    return this.#delayMs;
  }

  /** 0, 1 (slow) or 2 (very slow). */
  readonly pressure = (): number => Math.min(2, Math.floor(this.delayMs / this.#maxDelayMs));

  /** Stops measuring. */
  close(): void {
    this.#source.disable();
  }
}

function started(): DelaySource {
  const histogram = monitorEventLoopDelay({ resolution: resolutionMs });
  histogram.enable();
  return histogram;
}
