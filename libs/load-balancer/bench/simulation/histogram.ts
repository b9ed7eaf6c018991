/** Bound once: in a test's context each look-up of a global is slow. */
const { floor, log2, max, min, ceil } = Math;

const perDoubling = 64;
const leastMs = 1 / 64;
const buckets = 32 * perDoubling;

/** Counts times in buckets of 1.1 %: quantiles of any number of requests in a fixed space. */
export class Histogram {
  readonly #counts = new Uint32Array(buckets);
  #total = 0;

  record(valueMs: number): void {
    const at = floor(log2(max(valueMs, leastMs) / leastMs) * perDoubling);
    const bucket = min(at, buckets - 1);
    this.#counts[bucket] = (this.#counts[bucket] ?? 0) + 1;
    this.#total++;
  }

  /** The time that `ratio` of the values do not exceed, NaN when there is none. */
  quantile(ratio: number): number {
    let left = ceil(ratio * this.#total);
    if (left === 0) return NaN;
    let at = 0;
    while ((left -= this.#counts[at] ?? left) > 0) at++;
    return leastMs * 2 ** ((at + 0.5) / perDoubling);
  }
}
