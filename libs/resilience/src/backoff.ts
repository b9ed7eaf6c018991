import { between, outOfRange } from './range.ts';
import { maxDelayMs, type Random } from './time.ts';

/** How the delays between attempts grow. */
export interface BackoffOptions {
  /** `constant`: base; `linear`: n x base; `exponential`: base x factor^(n - 1), for the n-th retry. Default `exponential`. */
  readonly growth?: 'constant' | 'linear' | 'exponential';
  /** The first delay before jitter, in milliseconds. Default 100. */
  readonly baseMs?: number;
  /** Of the exponential growth, >= 1. Default 2. */
  readonly factor?: number;
  /** No delay is longer, in milliseconds. Default 10 000, at most 2^31 - 1. */
  readonly maxMs?: number;
  /**
   * What chance does to a delay d, so that clients that failed together do not come back together. `full`: [0, d); `equal`:
   * [d/2, d); `decorrelated`: smoothly spread over all times, with d as the median (exponential with factor 2 only); `none`: d. Default `full`.
   */
  readonly jitter?: 'none' | 'full' | 'equal' | 'decorrelated';
}

/** Starts the delays of one call: a function that answers the delay before the n-th retry, n = 1, 2, 3 ..., in milliseconds. */
export type Backoff = (random: Random) => (retry: number) => number;

/**
 * The delays that `options` describe: finite, >= 0 and <= `maxMs` for every retry.
 *
 * Sources: full and equal jitter, M. Brooker, "Exponential Backoff And Jitter" (AWS, 2015); decorrelated jitter, G. Polevoy's
 * formula as in Polly's DecorrelatedJitterBackoffV2.
 *
 * @throws RangeError when an option is out of range.
 */
export function backoff(options: BackoffOptions = {}): Backoff {
  const { growth = 'exponential', baseMs = 100, factor = 2, maxMs = 10_000, jitter = 'full' } = options;
  between('retry: backoff.baseMs', baseMs, 0, maxDelayMs);
  between('retry: backoff.factor', factor, 1, Number.MAX_VALUE);
  between('retry: backoff.maxMs', maxMs, 0, maxDelayMs);
  if (jitter === 'decorrelated') {
    if (growth !== 'exponential' || factor !== 2) {
      throw outOfRange('retry: backoff.growth', 'exponential with factor 2 for decorrelated jitter', growth);
    }
    return decorrelated(baseMs, maxMs);
  }
  const grow = oneOf('growth', growths, growth);
  const spread = oneOf('jitter', jitters, jitter);
  // Infinity times 0 is NaN, and Infinity is what factor ** retry becomes.
  const delay = (retry: number): number => (baseMs === 0 ? 0 : Math.min(maxMs, baseMs * grow(retry, factor)));
  return (random) => (retry) => spread(delay(retry), random);
}

const growths = {
  constant: () => 1,
  linear: (retry: number) => retry,
  exponential: (retry: number, factor: number) => factor ** (retry - 1),
};

const jitters = {
  none: (delay: number) => delay,
  full: (delay: number, random: Random) => random() * delay,
  equal: (delay: number, random: Random) => (delay * (1 + random())) / 2,
};

function oneOf<T>(option: string, choices: Readonly<Record<string, T>>, choice: string): T {
  const chosen = Object.hasOwn(choices, choice) ? choices[choice] : undefined;
  if (chosen !== undefined) return chosen;
  throw outOfRange(`retry: backoff.${option}`, `one of ${Object.keys(choices).join(', ')}`, choice);
}

/** Makes the median of the first delay about `baseMs`. */
const scale = 1 / 1.4;

function decorrelated(baseMs: number, maxMs: number): Backoff {
  return (random) => {
    let before = 0;
    return (retry) => {
      const time = retry - 1 + random();
      const curve = 2 ** time * Math.tanh(Math.sqrt(4 * time));
      // From time 1024 on the curve is Infinity, and Infinity - Infinity no number.
      const delay = curve === Infinity ? maxMs : Math.min(maxMs, (curve - before) * baseMs * scale);
      before = curve;
      return Math.max(0, delay);
    };
  };
}
