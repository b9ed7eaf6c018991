import type { Outcome } from '../balancer.ts';
import { type Gauge, twoChoicesContender } from './two-choices-balancer.ts';

interface PeakEwmaOptions {
  /** Cost before the first answer; 0 means unknown: whoever has an open request then is avoided at any price. */
  readonly seedMs: number;
  /** What a failure counts as at least. */
  readonly penaltyMs: number;
}

const memoryMs = 10_000;
const unknown = 1e15;

/** cost jumps to a slower answer and decays towards faster ones: c = c·w + r·(1 − w), w = e^(−Δ/10 s); load = c·(open + 1). */
class PeakEwma implements Gauge {
  readonly #penaltyMs: number;
  #costMs: number;
  #stampMs = 0;
  #open = 0;

  constructor({ seedMs, penaltyMs }: PeakEwmaOptions) {
    this.#costMs = seedMs;
    this.#penaltyMs = penaltyMs;
  }

  load(nowMs: number): number {
    this.#observe(nowMs, 0);
    if (this.#costMs === 0 && this.#open > 0) return unknown + this.#open;
    return this.#costMs * (this.#open + 1);
  }

  started(): void {
    this.#open++;
  }

  ended(nowMs: number, outcome: Outcome, latencyMs: number): void {
    this.#open--;
    this.#observe(nowMs, outcome === 'success' ? latencyMs : Math.max(latencyMs, this.#penaltyMs));
  }

  #observe(nowMs: number, latencyMs: number): void {
    const keep = Math.exp(-Math.max(0, nowMs - this.#stampMs) / memoryMs);
    this.#stampMs = nowMs;
    this.#costMs = latencyMs > this.#costMs ? latencyMs : this.#costMs * keep + latencyMs * (1 - keep);
  }
}

/** Finagle `p2cPeakEwma`: blind to failures, a fast one looks like a fast server. */
export const finagle = twoChoicesContender(
  'peak EWMA (Finagle)',
  () => new PeakEwma({ seedMs: 0, penaltyMs: 0 }),
);

/** Linkerd 2 of 2026: a seed of 30 ms, and a failure counts as an answer of 5 s. */
export const linkerd = twoChoicesContender(
  'peak EWMA + penalty (Linkerd)',
  () => new PeakEwma({ seedMs: 30, penaltyMs: 5_000 }),
);
