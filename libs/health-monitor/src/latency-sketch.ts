import { count } from './range.ts';

/** Ratio of neighbouring bin limits for a relative error of 1 %. */
const growth = 1.01 / 0.99;
const perLog = 1 / Math.log(growth);
/** Bin of 1 ms; bins below hold down to a microsecond. */
const offset = 400;
const least = 0.001;
const most = 1e9;
const fullCount = 65_535;

/** A place among the bins of a sketch. */
class BinCursor {
  readonly #keys: Uint16Array;
  readonly #counts: Uint16Array;
  readonly #bins: number;
  readonly #weight: number;
  #at = 0;

  constructor(keys: Uint16Array, counts: Uint16Array, bins: number, weight: number) {
    this.#keys = keys;
    this.#counts = counts;
    this.#bins = bins;
    this.#weight = weight;
  }

  /** The bin that comes next; Infinity when there is none. */
  get bin(): number {
    return this.#at < this.#bins ? (this.#keys[this.#at] ?? 0) : Infinity;
  }

  /** How many samples it stands for; then the next one is at hand. */
  take(): number {
    return (this.#counts[this.#at++] ?? 0) * this.#weight;
  }

  /** Samples of all bins. */
  total(): number {
    let sum = 0;
    for (let at = 0; at < this.#bins; at++) sum += this.#counts[at] ?? 0;
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
  #keys = new Uint16Array(8);
  #counts = new Uint16Array(8);
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
    return this.#keys.byteLength + this.#counts.byteLength;
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
    return new BinCursor(this.#keys, this.#counts, this.#bins, 2 ** this.#scale);
  }

  #keeps(): boolean {
    this.#dice = (Math.imul(this.#dice, 1_664_525) + 1_013_904_223) >>> 0;
    return this.#dice < 2 ** (32 - this.#scale);
  }

  #put(bin: number, samples: number): void {
    if (samples < 1) return;
    let at = this.#find(bin);
    if (at === this.#bins || this.#keys[at] !== bin) at = this.#insert(at, bin);
    while ((this.#counts[at] ?? 0) + samples > fullCount) {
      this.#halve();
      samples = Math.ceil(samples / 2);
      at = this.#find(bin);
      if (this.#keys[at] !== bin || at === this.#bins) at = this.#insert(at, bin);
    }
    this.#counts[at] = (this.#counts[at] ?? 0) + samples;
  }

  /** Index of the first bin that is not below. */
  #find(bin: number): number {
    let from = 0;
    let to = this.#bins;
    while (from < to) {
      const middle = (from + to) >>> 1;
      if ((this.#keys[middle] ?? 0) < bin) from = middle + 1;
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
    this.#keys.copyWithin(at + 1, at, this.#bins);
    this.#counts.copyWithin(at + 1, at, this.#bins);
    this.#keys[at] = bin;
    this.#counts[at] = 0;
    this.#bins++;
    return at;
  }

  #joinLowest(): void {
    const joined = (this.#counts[0] ?? 0) + (this.#counts[1] ?? 0);
    this.#keys.copyWithin(0, 1, this.#bins);
    this.#counts.copyWithin(0, 1, this.#bins);
    this.#counts[0] = Math.min(fullCount, joined);
    this.#bins--;
  }

  #room(): void {
    if (this.#bins < this.#keys.length) return;
    const size = Math.min(this.#maximumBins, this.#keys.length * 2);
    const [keys, counts] = [this.#keys, this.#counts];
    this.#keys = new Uint16Array(size);
    this.#counts = new Uint16Array(size);
    this.#keys.set(keys);
    this.#counts.set(counts);
  }

  /** Lets every bin stand for twice as many. A bin of one stays, or rare values would vanish. */
  #halve(): void {
    this.#scale++;
    for (let at = 0; at < this.#bins; at++) this.#counts[at] = ((this.#counts[at] ?? 0) + 1) >>> 1;
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
