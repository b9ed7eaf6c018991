/** The last `size` numbers, in the order of their size: medians without sorting again. */
export class SortedWindow {
  readonly #ring: Float32Array;
  readonly #sorted: Float32Array;
  #count = 0;
  #next = 0;

  constructor(size: number) {
    this.#ring = new Float32Array(size);
    this.#sorted = new Float32Array(size);
  }

  get count(): number {
    return this.#count;
  }

  get bytes(): number {
    return this.#ring.byteLength * 2;
  }

  push(value: number): void {
    const number = Math.fround(value);
    const size = this.#ring.length;
    if (this.#count === size) this.#take(this.#ring[this.#next] ?? 0);
    const at = this.#find(number);
    this.#sorted.copyWithin(at + 1, at, this.#count);
    this.#sorted[at] = number;
    this.#count++;
    this.#ring[this.#next] = number;
    this.#next = (this.#next + 1) % size;
  }

  /** 0 of none. */
  get median(): number {
    return ((this.#sorted[(this.#count - 1) >> 1] ?? 0) + (this.#sorted[this.#count >> 1] ?? 0)) / 2;
  }

  /** Median distance from the median, walking outwards from it. */
  get medianDeviation(): number {
    const { median } = this;
    let right = this.#find(median);
    let left = right - 1;
    let distance = 0;
    for (let taken = 0; taken < (this.#count + 1) >> 1; taken++) {
      const below = left >= 0 ? median - (this.#sorted[left] ?? 0) : Infinity;
      const above = right < this.#count ? (this.#sorted[right] ?? 0) - median : Infinity;
      distance = Math.min(below, above);
      if (below <= above) left--;
      else right++;
    }
    return distance;
  }

  #take(value: number): void {
    const at = this.#find(value);
    this.#sorted.copyWithin(at, at + 1, this.#count);
    this.#count--;
  }

  /** Index of the first that is not below. */
  #find(value: number): number {
    let from = 0;
    let to = this.#count;
    while (from < to) {
      const middle = (from + to) >>> 1;
      if ((this.#sorted[middle] ?? 0) < value) from = middle + 1;
      else to = middle;
    }
    return from;
  }
}
