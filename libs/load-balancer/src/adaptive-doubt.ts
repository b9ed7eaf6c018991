/** A broken endpoint fails so often at least. */
const brokenRatio = 0.6;
/** The odds that it has broken since it was last fine: one in ten after 100 ms, hardly any when that was just now. */
const greatestPrior = 0.1;
const leastPrior = 1e-4;
const priorMs = 1_000;
/** The greatest doubt takes 2.7 s to fall to odds of 1, where the endpoint is tried again. */
const greatestDoubt = 100;
const halvesMs = 370;
const leastDoubt = 1e-3;

/**
 * The odds that an endpoint is broken, by Bayes' rule: 0 surely not, 1 as likely as not. A failure speaks the more against
 * it the rarer failures are in the pool; a success leaves two fifths of the odds, 400 ms leave half.
 */
export class AdaptiveDoubt {
  #odds = 0;
  #asOfMs = 0;
  #fineMs = -Infinity;

  odds(nowMs: number): number {
    if (this.#odds === 0) return 0;
    const odds = this.#odds * 2 ** ((this.#asOfMs - nowMs) / halvesMs);
    return odds < leastDoubt ? 0 : odds;
  }

  succeeded(nowMs: number): void {
    this.#odds = this.odds(nowMs) * (1 - brokenRatio);
    this.#asOfMs = this.#fineMs = nowMs;
  }

  /** `startMs` is when the failed request was sent: the endpoint may be well again since, if that took long. */
  failed(startMs: number, poolFailureRatio: number, nowMs: number): void {
    const prior = Math.min(greatestPrior, leastPrior + Math.max(0, startMs - this.#fineMs) / priorMs);
    const odds = (this.odds(nowMs) + prior) * (brokenRatio / poolFailureRatio);
    this.#odds = Math.min(greatestDoubt, odds);
    this.#asOfMs = startMs;
  }
}
