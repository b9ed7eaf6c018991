import { count } from './range.ts';

/** Ratio of neighbouring bin limits for a relative error of 1 %. */
const growth = 1.01 / 0.99;
const perLog = 1 / Math.log(growth);
/** Bin of 1 ms; bins below hold down to a microsecond. */
const offset = 400;
const least = 0.001;
const most = 1e9;
const fullCount = 65_535;

/** No bins; longer ones replace it as they are needed. */
const noBins = new Uint32Array(0);
/** A bin and how many samples it holds, in one number: a sketch is many when there are many targets. */
const pack = (bin: number, samples: number): number => ((bin << 16) | samples) >>> 0;
const binIn = (packed = 0): number => packed >>> 16;
const samplesIn = (packed = 0): number => packed & fullCount;

/** A place among the bins of a sketch. */
class BinCursor {
  readonly #packed: Uint32Array;
  readonly #bins: number;
  readonly #weight: number;
  #at = 0;

  constructor(packed: Uint32Array, bins: number, weight: number) {
    this.#packed = packed;
    this.#bins = bins;
    this.#weight = weight;
  }

  /** The bin that comes next; Infinity when there is none. */
  get bin(): number {
    return this.#at < this.#bins ? binIn(this.#packed[this.#at]) : Infinity;
  }

  /** How many samples it stands for; then the next one is at hand. */
  take(): number {
    return samplesIn(this.#packed[this.#at++]) * this.#weight;
  }

  /** Samples of all bins. */
  total(): number {
    let sum = 0;
    for (let at = 0; at < this.#bins; at++) sum += samplesIn(this.#packed[at]);
    return sum * this.#weight;
  }
}

/**
 * Quantiles of positive numbers in fixed memory, each within 1 % of the true one, and mergeable: DDSketch (Masson, Rim, Lee, VLDB 2019) with
 * sparse bins of 4 bytes. Values from 0.001 to 1e9 keep that promise. When there are more bins than `maximumBins` the two lowest become one, so
 * that only the lowest quantiles of extremely scattered data lose it.
 *
 * ```ts
 * const sketch = new LatencySketch();
 * for (const ms of [12, 15, 11, 90]) sketch.add(ms);
 * sketch.quantile(0.5); // 12 within 1 %
 * ```
 */
export class LatencySketch {
  readonly #maximumBins: number;
  #packed = noBins;
  #bins = 0;
  #count = 0;
  /** One of 2^scale samples is kept, and counts for as many: beyond 65 535 of a kind only the proportions matter. */
  #scale = 0;
  /** Chooses them; taking every n-th would fall into step with a rhythm of the samples. */
  #dice = 1;

  /** `maximumBins`: default 160, which is a ratio of 24 between neighbours without a gap. */
  constructor(maximumBins = 160) {
    this.#maximumBins = count('maximumBins', maximumBins, 2);
  }

  /** How many samples it has seen. */
  get count(): number {
    return this.#count;
  }

  /** Bytes that its bins take. */
  get bytes(): number {
    return this.#packed.byteLength;
  }

  add(value: number): void {
    if (!Number.isNaN(value)) this.addBin(binOf(value));
  }

  /** One more value of a bin (see {@link binOf}): for who adds a value to several sketches. */
  addBin(bin: number): void {
    this.#count++;
    if (this.#scale > 0 && !this.#keeps()) return;
    this.#put(bin, 1);
  }

  /** Takes over everything that another sketch has seen. */
  merge(other: LatencySketch): void {
    while (this.#scale < other.#scale) this.#halve();
    this.#count += other.#count;
    for (const cursor = other.cursor(); cursor.bin < Infinity;) {
      const { bin } = cursor;
      this.#put(bin, Math.round(cursor.take() / 2 ** this.#scale));
    }
  }

  /** The value below which the part `ratio` (0 to 1) of the samples lies; undefined without samples. */
  quantile(ratio: number): number | undefined {
    return quantileOf([this], ratio);
  }

  clear(): void {
    this.#bins = this.#count = this.#scale = 0;
  }

  /** Walks through its bins, the lowest first. */
  cursor(): BinCursor {
    return new BinCursor(this.#packed, this.#bins, 2 ** this.#scale);
  }

  #keeps(): boolean {
    this.#dice = (Math.imul(this.#dice, 1_664_525) + 1_013_904_223) >>> 0;
    return this.#dice < 2 ** (32 - this.#scale);
  }

  #put(bin: number, samples: number): void {
    if (samples < 1) return;
    let at = this.#find(bin);
    if (!this.#holds(at, bin)) at = this.#insert(at, bin);
    while (samplesIn(this.#packed[at]) + samples > fullCount) {
      this.#halve();
      samples = Math.ceil(samples / 2);
      at = this.#find(bin);
      if (!this.#holds(at, bin)) at = this.#insert(at, bin);
    }
    // The count is the lower half, and has room.
    this.#packed[at] = (this.#packed[at] ?? 0) + samples;
  }

  #holds(at: number, bin: number): boolean {
    return at < this.#bins && binIn(this.#packed[at]) === bin;
  }

  /** Index of the first bin that is not below. */
  #find(bin: number): number {
    let from = 0;
    let to = this.#bins;
    while (from < to) {
      const middle = (from + to) >>> 1;
      if (binIn(this.#packed[middle]) < bin) from = middle + 1;
      else to = middle;
    }
    return from;
  }

  #insert(at: number, bin: number): number {
    if (this.#bins === this.#maximumBins) {
      if (at === 0) return 0;
      this.#joinLowest();
      at--;
    }
    this.#room();
    this.#packed.copyWithin(at + 1, at, this.#bins);
    this.#packed[at] = pack(bin, 0);
    this.#bins++;
    return at;
  }

  #joinLowest(): void {
    const [lowest, next] = this.#packed;
    this.#packed.copyWithin(0, 1, this.#bins);
    this.#packed[0] = pack(binIn(next), Math.min(fullCount, samplesIn(lowest) + samplesIn(next)));
    this.#bins--;
  }

  #room(): void {
    if (this.#bins < this.#packed.length) return;
    const before = this.#packed;
    this.#packed = new Uint32Array(Math.min(this.#maximumBins, before.length * 2 || 8));
    this.#packed.set(before);
  }

  /** Lets every bin stand for twice as many. A bin of one stays, or rare values would vanish. */
  #halve(): void {
    this.#scale++;
    for (let at = 0; at < this.#bins; at++) {
      const packed = this.#packed[at];
      this.#packed[at] = pack(binIn(packed), (samplesIn(packed) + 1) >>> 1);
    }
  }
}

/** The quantile of several sketches as if they were one. */
export function quantileOf(sketches: readonly LatencySketch[], ratio: number): number | undefined {
  const cursors = sketches.map((sketch) => sketch.cursor());
  const total = cursors.reduce((sum, cursor) => sum + cursor.total(), 0);
  const rank = ratio * (total - 1);
  let bin = Infinity;
  for (let seen = 0; total > 0 && seen <= rank;) {
    bin = Infinity;
    for (const cursor of cursors) bin = Math.min(bin, cursor.bin);
    for (const cursor of cursors) if (cursor.bin === bin) seen += cursor.take();
  }
  return total > 0 ? valueOf(bin) : undefined;
}

/** The bin of a value. */
export const binOf = (value: number): number =>
  Math.ceil(Math.log(Math.min(most, Math.max(least, value))) * perLog) + offset;

const valueOf = (bin: number): number => (2 * growth ** (bin - offset)) / (growth + 1);
