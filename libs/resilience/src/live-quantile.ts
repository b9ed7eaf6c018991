/** Buckets in each doubling of the latency: neighbours differ by 9 %, so the middle of one is at most 4.5 % off. */
const perDoubling = 8;
/** From 1/16 ms to 2^20 ms (17 minutes); what is outside counts at the edge. */
const lowest = -4;
const highest = 20;
const buckets = (highest - lowest) * perDoubling;

/**
 * A quantile of the latest latencies in fixed memory: two histograms with logarithmic buckets, each of up to `windowSize` samples. When
 * the younger is full, it becomes the older one, so the answer covers the last `windowSize` to 2 x `windowSize` samples.
 */
export class LiveQuantile {
  readonly #ratio: number;
  readonly #windowSize: number;
  #older = new Uint32Array(buckets);
  #younger = new Uint32Array(buckets);
  #olderCount = 0;
  #youngerCount = 0;
  #known: number | undefined;

  /** @param ratio which quantile, 0..1: 0.95 for the p95. */
  constructor(ratio: number, windowSize: number) {
    this.#ratio = ratio;
    this.#windowSize = windowSize;
  }

  /** Samples that the answer is made of. */
  get count(): number {
    return this.#olderCount + this.#youngerCount;
  }

  record(ms: number): void {
    if (this.#youngerCount === this.#windowSize) this.#turn();
    const bucket = bucketOf(ms);
    this.#younger[bucket] = (this.#younger[bucket] ?? 0) + 1;
    this.#youngerCount++;
    this.#known = undefined;
  }

  /** The quantile in milliseconds, within 4.5 %; NaN without samples. */
  get value(): number {
    return (this.#known ??= this.#find());
  }

  #turn(): void {
    [this.#older, this.#younger] = [this.#younger, this.#older];
    this.#younger.fill(0);
    this.#olderCount = this.#youngerCount;
    this.#youngerCount = 0;
  }

  #find(): number {
    // The smallest latency that so many samples do not exceed (nearest rank).
    let missing = Math.max(1, Math.ceil(this.#ratio * this.count));
    for (let bucket = 0; bucket < buckets; bucket++) {
      missing -= (this.#older[bucket] ?? 0) + (this.#younger[bucket] ?? 0);
      if (missing <= 0) return middleOf(bucket);
    }
    return NaN;
  }
}

function bucketOf(ms: number): number {
  const bucket = Math.floor((Math.log2(ms) - lowest) * perDoubling);
  // log2(0) is -Infinity.
  return Math.min(buckets - 1, Math.max(0, bucket));
}

/** The geometric middle of a bucket. */
function middleOf(bucket: number): number {
  return 2 ** (lowest + (bucket + 0.5) / perDoubling);
}
