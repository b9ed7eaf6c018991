import { AdaptiveDoubt } from './adaptive-doubt.ts';
import type { AdaptivePool } from './adaptive-pool.ts';
import type { Candidate, LeaseResult, Tracker } from './policy.ts';

/** The average of the response times looks back over so many typical ones, and so long at most. */
const memoryOfTypical = 60;
const longestMemoryMs = 500;
/** What was slow or silent is tried again when nothing new has been heard for so long. */
const forgetMs = 2_800;
/** More doubt does not count: when the others are a hundred times as loaded as usual, who is broken gets what they cannot do. */
const greatestDoubt = 9;
/** A request that is open at a doubtful endpoint is the test: others wait for how it ends. */
const testWeight = 10;
/** Who has never answered gets its first request at once, and is treated like this until the answer. */
const untriedDoubt = 0.3;

/** What the adaptive policy knows of one endpoint, and the load that comes of it. */
export class AdaptivePulse implements Tracker {
  readonly #pool: AdaptivePool;
  readonly #doubt = new AdaptiveDoubt();
  #latencyMs: number | undefined;
  #learnedMs = 0;
  /** When the request was sent that told the newest response time: it speaks of then. */
  #toldMs = 0;
  #newestStartMs = 0;
  /** Start of the oldest request that no success of a later one has overtaken. */
  #silentSinceMs = Infinity;

  constructor(pool: AdaptivePool) {
    this.#pool = pool;
  }

  load({ pressure, oldestStartMs }: Candidate, nowMs: number): number {
    const { typicalMs } = this.#pool;
    const doubt = Math.min(greatestDoubt, this.#doubt.odds(nowMs));
    const waitedMs = Math.max(this.#expectedMs(nowMs), this.#silentMs(oldestStartMs, nowMs));
    const caution = this.#latencyMs === undefined ? Math.max(doubt, untriedDoubt) : doubt;
    return (typicalMs / 2 + waitedMs) * (pressure * (1 + testWeight * caution) + 1) * (1 + doubt) ** 2;
  }

  opened(nowMs: number): void {
    this.#newestStartMs = nowMs;
    if (this.#silentSinceMs === Infinity) this.#silentSinceMs = nowMs;
  }

  ended({ outcome, latencyMs = 0 }: LeaseResult, nowMs: number): void {
    if (!(latencyMs >= 0 && latencyMs < Infinity)) return;
    if (outcome === 'success') this.#succeeded(latencyMs, nowMs);
    else if (outcome === 'failure') this.#failed(nowMs - latencyMs, nowMs);
    // A caller that went away says nothing against the endpoint, but that it had waited for so long is true.
    else if (this.#pool.isMeasured && latencyMs > this.#expectedMs(nowMs)) this.#learn(latencyMs, nowMs);
  }

  #succeeded(latencyMs: number, nowMs: number): void {
    this.#pool.succeeded(latencyMs, this.#doubt.odds(nowMs));
    this.#doubt.succeeded(nowMs);
    this.#learn(latencyMs, nowMs);
    const startMs = nowMs - latencyMs;
    if (startMs >= this.#silentSinceMs)
      this.#silentSinceMs = this.#newestStartMs > startMs ? this.#newestStartMs : Infinity;
  }

  #failed(startMs: number, nowMs: number): void {
    const odds = this.#doubt.odds(nowMs);
    this.#doubt.failed(startMs, this.#pool.failureRatio, nowMs);
    this.#pool.failed(odds);
  }

  #learn(latencyMs: number, nowMs: number): void {
    const memoryMs = Math.min(longestMemoryMs, memoryOfTypical * this.#pool.typicalMs);
    const kept = this.#latencyMs === undefined ? 0 : Math.exp((this.#learnedMs - nowMs) / memoryMs);
    this.#latencyMs = kept * (this.#latencyMs ?? 0) + (1 - kept) * latencyMs;
    this.#learnedMs = nowMs;
    this.#toldMs = nowMs - latencyMs;
  }

  /** The average; of one that is slow the excess fades, so that it gets the request in which it can show that it is well. */
  #expectedMs(nowMs: number): number {
    if (this.#latencyMs === undefined) return 0;
    const { typicalMs } = this.#pool;
    const excessMs = this.#latencyMs - typicalMs;
    return typicalMs + (excessMs > 0 ? excessMs * fresh(nowMs - this.#toldMs) : excessMs);
  }

  /** How long it has been silent: with an answer owed, while no later request was answered (a long download is no silence). */
  #silentMs(oldestStartMs: number, nowMs: number): number {
    const sinceMs = Math.max(oldestStartMs, this.#silentSinceMs);
    return sinceMs < nowMs ? (nowMs - sinceMs) * fresh(nowMs - this.#newestStartMs) : 0;
  }
}

/** What knowledge of this age still counts: all of it at first, none after 2.8 s. */
function fresh(ageMs: number): number {
  const age = ageMs / forgetMs;
  return age < 1 ? 1 - age * age : 0;
}
