import type { Random } from './timers.ts';

/** Shape of a back-off: delays grow from `firstMs` by `factor` up to `capMs`, each varied by `jitterRatio` both ways. */
export interface BackoffShape {
  readonly firstMs: number;
  readonly factor: number;
  readonly capMs: number;
  readonly jitterRatio: number;
}

/** For everything that keeps trying until the registry is back: 0.2 s, x 1.6, at most 10 s, 20 % jitter. */
export const patient: BackoffShape = { firstMs: 200, factor: 1.6, capMs: 10_000, jitterRatio: 0.2 };

/** What a registry may ask for with Retry-After, at most: a wrong header must not switch a client off. */
const maximumRetryAfterMs = 60_000;

/** Exponential back-off with jitter, so that the clients of a returning registry do not arrive together. */
export class Backoff {
  readonly #shape: BackoffShape;
  readonly #random: Random;
  #attempts = 0;

  constructor(random: Random, shape: BackoffShape = patient) {
    this.#shape = shape;
    this.#random = random;
  }

  /** Whole milliseconds to wait before the next try; never less than the registry asked for, up to a minute. */
  next(retryAfterMs = 0): number {
    const { firstMs, factor, capMs } = this.#shape;
    const delayMs = Math.min(capMs, firstMs * factor ** this.#attempts);
    if (delayMs < capMs) this.#attempts += 1;
    const jittered = Math.round(vary(delayMs, this.#shape.jitterRatio, this.#random));
    return Math.max(jittered, Math.min(retryAfterMs, maximumRetryAfterMs));
  }

  /** Starts over after a success. */
  reset(): void {
    this.#attempts = 0;
  }
}

/** `value` varied evenly by up to `ratio` both ways. */
export function vary(value: number, ratio: number, random: Random): number {
  return value * (1 + ratio * (2 * random() - 1));
}
