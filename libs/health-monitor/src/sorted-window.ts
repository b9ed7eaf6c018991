const noNumbers = new Float32Array(0);

/** The last `size` numbers, in the order of their size: medians without sorting again. */
export class SortedWindow {
  readonly #size: number;
  /** Both grow with what they hold, up to the size. */
  #ring = noNumbers;
  #sorted = noNumbers;
  #count = 0;
  #next = 0;

  constructor(size: number) {
    this.#size = size;
  }

  get count(): number {
    return this.#count;
  }

  get bytes(): number {
    return this.#ring.byteLength * 2;
  }

  push(value: number): void {
    const number = Math.fround(value);
    if (this.#count === this.#size) this.#take(this.#ring[this.#next] ?? 0);
    else if (this.#count === this.#ring.length) this.#grow();
    const at = this.#find(number);
    this.#sorted.copyWithin(at + 1, at, this.#count);
    this.#sorted[at] = number;
    this.#count++;
    this.#ring[this.#next] = number;
    this.#next = (this.#next + 1) % this.#size;
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

  /** The ring has not come round yet, so that its places stay as they are. */
  #grow(): void {
    const length = Math.min(this.#size, 2 * this.#count || 16);
    const [ring, sorted] = [this.#ring, this.#sorted];
    this.#ring = new Float32Array(length);
    this.#sorted = new Float32Array(length);
    this.#ring.set(ring);
    this.#sorted.set(sorted);
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
