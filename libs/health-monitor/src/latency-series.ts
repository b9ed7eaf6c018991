import { binOf, LatencySketch, quantileOf } from './latency-sketch.ts';

/** Spans over which quantiles are kept. */
export type LatencyWindow = '5m' | '1h' | '24h';

/** Latencies of a span, in milliseconds; undefined where there was no sample. */
export interface LatencySummary {
  readonly count: number;
  readonly p50: number | undefined;
  readonly p95: number | undefined;
  readonly p99: number | undefined;
}

const spansMs: Readonly<Record<LatencyWindow, number>> = {
  '5m': 300_000,
  '1h': 3_600_000,
  '24h': 86_400_000,
};

/** Nobody adds to it. */
const empty = new LatencySketch();

/** Two halves of a span: the one being filled, and the one before. Together they cover between half and all of it. */
class Halves {
  readonly halfMs: number;
  #half = -Infinity;
  #current = new LatencySketch();
  #previous = empty;

  constructor(spanMs: number) {
    this.halfMs = spanMs / 2;
  }

  at(now: number): this {
    const half = Math.floor(now / this.halfMs);
    const passed = half - this.#half;
    if (passed <= 0) return this;
    if (this.#current.count > 0 || this.#previous.count > 0) this.#turn(passed);
    this.#half = half;
    return this;
  }

  add(bin: number): void {
    this.#current.addBin(bin);
  }

  #turn(passed: number): void {
    const spare = this.#previous === empty ? new LatencySketch() : this.#previous;
    spare.clear();
    [this.#current, this.#previous] = [spare, this.#current];
    if (passed > 1) this.#previous.clear();
  }

  get sketches(): readonly [LatencySketch, LatencySketch] {
    return [this.#current, this.#previous];
  }
}

/** The latencies of one target over three spans, in at most 4 kB. */
export class LatencySeries {
  /** Made for the first sample. */
  #halves: readonly Halves[] = [];

  add(now: number, latencyMs: number): void {
    if (Number.isNaN(latencyMs)) return;
    if (this.#halves.length === 0) this.#halves = Object.values(spansMs).map((spanMs) => new Halves(spanMs));
    const bin = binOf(latencyMs);
    for (const halves of this.#halves) halves.at(now).add(bin);
  }

  /** A sketch of a span of its own, to be merged with those of others. */
  sketch(window: LatencyWindow, now: number): LatencySketch {
    const merged = new LatencySketch();
    for (const sketch of this.#sketches(window, now)) merged.merge(sketch);
    return merged;
  }

  summary(window: LatencyWindow, now: number): LatencySummary {
    const sketches = this.#sketches(window, now);
    return {
      count: sketches[0].count + sketches[1].count,
      p50: quantileOf(sketches, 0.5),
      p95: quantileOf(sketches, 0.95),
      p99: quantileOf(sketches, 0.99),
    };
  }

  quantile(window: LatencyWindow, ratio: number, now: number): number | undefined {
    return quantileOf(this.#sketches(window, now), ratio);
  }

  get bytes(): number {
    return this.#halves.flatMap(({ sketches }) => sketches).reduce((sum, sketch) => sum + sketch.bytes, 0);
  }

  #sketches(window: LatencyWindow, now: number): readonly [LatencySketch, LatencySketch] {
    const spanMs = spansMs[window] as number | undefined;
    if (spanMs === undefined)
      throw new RangeError(`healthMonitor: window must be 5m, 1h or 24h, got ${window}`);
    return this.#halves.find(({ halfMs }) => halfMs * 2 === spanMs)?.at(now).sketches ?? [empty, empty];
  }
}
