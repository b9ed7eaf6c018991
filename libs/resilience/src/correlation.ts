interface Moments {
  readonly meanX: number;
  readonly meanY: number;
  readonly varianceX: number;
  readonly varianceY: number;
  readonly covariance: number;
}

/** How the second of two figures goes with the first, over the last pairs of them. */
export class Correlation {
  readonly #size: number;
  readonly #pairs: { readonly x: number; readonly y: number }[] = [];

  constructor(size: number) {
    this.#size = size;
  }

  add(x: number, y: number): void {
    this.#pairs.push({ x, y });
    if (this.#pairs.length > this.#size) this.#pairs.shift();
  }

  /** Whether there are enough pairs to say anything. */
  get full(): boolean {
    return this.#pairs.length === this.#size;
  }

  /** The last y. */
  get last(): number {
    return this.#pairs.at(-1)?.y ?? NaN;
  }

  /** The mean y. */
  get mean(): number {
    return this.#moments().meanY;
  }

  /** Pearson's, from -1 to 1; 0 where one of the two hardly varies. */
  get coefficient(): number {
    const { varianceX, varianceY, covariance, meanX, meanY } = this.#moments();
    if (hardlyVaries(varianceX, meanX) || hardlyVaries(varianceY, meanY)) return 0;
    return covariance / Math.sqrt(varianceX * varianceY);
  }

  /** By what part y grows when x doubles, by linear regression: 1 is in proportion, 0 not at all; 0 where x hardly varies. */
  get elasticity(): number {
    const { varianceX, covariance, meanX, meanY } = this.#moments();
    return hardlyVaries(varianceX, meanX) ? 0 : ((covariance / varianceX) * meanX) / meanY;
  }

  #moments(): Moments {
    const average = (of: (pair: { readonly x: number; readonly y: number }) => number): number =>
      this.#pairs.reduce((sum, pair) => sum + of(pair), 0) / this.#pairs.length;
    const meanX = average(({ x }) => x);
    const meanY = average(({ y }) => y);
    return {
      meanX,
      meanY,
      varianceX: average(({ x }) => (x - meanX) ** 2),
      varianceY: average(({ y }) => (y - meanY) ** 2),
      covariance: average(({ x, y }) => (x - meanX) * (y - meanY)),
    };
  }
}

/** Less than by a hundredth of the mean: that is noise. */
function hardlyVaries(variance: number, mean: number): boolean {
  return variance <= (mean * 0.01) ** 2;
}
