import { Correlation } from './correlation.ts';
import type { LimitFinder, LimitLaw, LimitSample } from './limit-law.ts';
import { between, integer, positive } from './range.ts';
import { SampleWindow, type WindowOptions, type WindowSummary } from './sample-window.ts';

/** Options of {@link gradient}. */
export interface GradientOptions extends Partial<WindowOptions> {
  /** Which latency of a window stands for it, from 0.1 to 0.99. Default 0.9. */
  readonly quantile?: number;
  /** Windows over which the usual latency is averaged. An integer >= 1, default 10. */
  readonly baselineWindows?: number;
}

/** Windows that the guard looks back on. */
const history = 10;

/**
 * Compares the latency of the last seconds with the usual one: the share by which it is higher is the share of the calls that only
 * queue somewhere. While hardly any do and at least half of the limit is in use it grows; when too many do it shrinks.
 *
 * After Netflix concurrency-limits (Gradient2: short against long latency; Vegas: thresholds for the queue), with guards as
 * failsafe-go has them: a quantile, a median and an average in place of single latencies, which a lucky one would poison; and the
 * correlation of latency and throughput with the calls under way, because an overload that grows slowly drags the
 * usual latency along and is not seen by comparing.
 *
 * @throws RangeError when an option is out of its range.
 */
export function gradient(options: GradientOptions = {}): LimitLaw {
  const { windowMs = 1000, maxWindowMs = 30_000, minSamples = 50 } = options;
  const window = {
    windowMs: positive('gradient: windowMs', windowMs),
    maxWindowMs: positive('gradient: maxWindowMs', maxWindowMs),
    minSamples: integer('gradient: minSamples', minSamples),
  };
  const quantile = between('gradient: quantile', options.quantile ?? 0.9, 0.1, 0.99);
  const baselineWindows = integer('gradient: baselineWindows', options.baselineWindows ?? 10);
  return () => new Gradient(window, quantile, baselineWindows);
}

class Gradient implements LimitFinder {
  readonly #window: SampleWindow;
  readonly #quantile: number;
  readonly #weight: number;
  readonly #recent: number[] = [];
  readonly #throughputs = new Correlation(history);
  readonly #rtts = new Correlation(history);
  #usualMs: number | undefined;

  constructor(window: WindowOptions, quantile: number, baselineWindows: number) {
    this.#window = new SampleWindow(window);
    this.#quantile = quantile;
    this.#weight = 2 / (baselineWindows + 1);
  }

  next(sample: LimitSample): number {
    const summary = this.#window.add(sample, this.#quantile);
    return summary === undefined ? sample.limit : this.#judge(sample.limit, summary);
  }

  #judge(limit: number, window: WindowSummary): number {
    if (window.dropRatio > 0.1) return limit * 0.9;
    const queuedRatio = this.#queuedRatio(window);
    const step = Math.max(1, Math.sqrt(limit) / 2);
    const queued = limit * queuedRatio;
    if (queued > 2 * step) return limit * (1 - 0.2 * Math.min(0.5, queuedRatio));
    if (this.#crowding()) return limit - step;
    // Who does not use what there is learns nothing about what there could be.
    return queued < step && window.inFlight >= limit / 2 ? limit + step : limit;
  }

  /** Share of the calls under way that only queue. */
  #queuedRatio(window: WindowSummary): number {
    this.#recent.push(window.rttMs);
    if (this.#recent.length > 5) this.#recent.shift();
    const rttMs = median(this.#recent);
    this.#throughputs.add(window.inFlight, window.throughput);
    this.#rtts.add(window.inFlight, window.rttMs);
    this.#usualMs ??= rttMs;
    this.#usualMs += (rttMs - this.#usualMs) * this.#weight;
    return Math.max(0, 1 - this.#usualMs / rttMs);
  }

  /**
   * More calls under way made all of them slower, and brought no more of them to an end. Not while throughput is low: then the limit has
   * just shrunk below what the other side can do, and the history tells of before.
   */
  #crowding(): boolean {
    const throughput = this.#throughputs;
    return (
      this.#rtts.full &&
      this.#rtts.coefficient > 0.5 &&
      throughput.elasticity < 0.3 &&
      throughput.last >= 0.95 * throughput.mean
    );
  }
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 1] ?? NaN;
}
