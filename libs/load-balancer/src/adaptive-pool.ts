/** Each answer moves the typical response time by this factor: it finds the median, and a few strays do not shift it. */
const stepFactor = 1.02;
const leastTypicalMs = 0.001;
/** Weight of the newest outcome: the failure ratio looks back over some 500. */
const newestRatio = 0.002;
/** No pool is believed to be better than this. */
const leastFailureRatio = 0.001;

/** What is usual among the endpoints of one balancer: what each of them is measured by. */
export class AdaptivePool {
  #typicalMs: number | undefined;
  #failureRatio = 0;

  /** About the median response time of the successes; 1 before the first, when it does not matter. */
  get typicalMs(): number {
    return this.#typicalMs ?? 1;
  }

  /** Whether it knows a typical response time. */
  get isMeasured(): boolean {
    return this.#typicalMs !== undefined;
  }

  /** Part of the requests that fails where nothing is broken, at least 0.001. */
  get failureRatio(): number {
    return Math.max(leastFailureRatio, this.#failureRatio);
  }

  /** The median comes by stochastic approximation (Robbins and Monro 1951) in the logarithm. */
  succeeded(latencyMs: number, odds: number): void {
    const known = this.#typicalMs;
    const nextMs =
      known === undefined ? latencyMs : latencyMs > known ? known * stepFactor : known / stepFactor;
    this.#typicalMs = Math.max(leastTypicalMs, nextMs);
    this.#count(0, odds);
  }

  failed(odds: number): void {
    this.#count(1, odds);
  }

  /** The more its endpoint was in doubt, the less an outcome tells of the others. */
  #count(failures: number, odds: number): void {
    this.#failureRatio += ((failures - this.#failureRatio) * newestRatio) / (1 + odds);
  }
}
