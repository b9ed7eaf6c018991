import { duration } from './check.ts';

/** The opening of a circuit, as a break duration sees it. */
export interface Opening {
  /** 1 for a circuit that was healthy for long, 2 when it opens again ... */
  readonly attempt: number;
  readonly failureCount: number;
  /** The failure that opens it. */
  readonly cause: unknown;
}

/** How long an open circuit refuses every call, in milliseconds: fixed, or worked out at each opening. */
export type BreakDuration = number | ((opening: Opening) => number);

/** Options of {@link exponentialBreak}. */
export interface ExponentialBreakOptions {
  /** The first break, in milliseconds. Default 5 000. */
  readonly initialMs?: number;
  /** The longest break, in milliseconds. Default 300 000. */
  readonly maxMs?: number;
  /** Each break is so many times as long as the one before. A number >= 1, default 2. */
  readonly factor?: number;
  /** The part of a break that is drawn by lot, so that many callers do not return at once. 0..1, default 0.5 ("equal jitter"). */
  readonly jitterRatio?: number;
  /** Uniform in [0, 1). Default `Math.random`. */
  readonly random?: () => number;
}

/**
 * Breaks that grow: `d = min(maxMs, initialMs x factor^(attempt - 1))`, drawn from `[d x (1 - jitterRatio), d]`.
 * Source: Envoy's outlier ejection (growth, cap), Brooker, "Exponential Backoff And Jitter".
 *
 * @throws RangeError when an option is out of its range.
 */
export function exponentialBreak(options: ExponentialBreakOptions = {}): (opening: Opening) => number {
  const { factor = 2, jitterRatio = 0.5, random = Math.random } = options;
  const initialMs = duration('initialMs', options.initialMs ?? 5_000);
  const maxMs = duration('maxMs', options.maxMs ?? 300_000);
  if (!(factor >= 1 && factor < Infinity)) {
    throw new RangeError(`circuitBreaker: factor must be a number >= 1, got ${factor}`);
  }
  if (!(jitterRatio >= 0 && jitterRatio <= 1)) {
    throw new RangeError(`circuitBreaker: jitterRatio must be a ratio from 0 to 1, got ${jitterRatio}`);
  }
  return ({ attempt }) => {
    const full = Math.min(maxMs, initialMs * factor ** (attempt - 1));
    return full * (1 - jitterRatio * random());
  };
}

/** What a failure says of the time to wait: `retryAfterMs`, as the errors of the family (and many others) carry it. */
export function retryAfterOf(cause: unknown): number | undefined {
  if (typeof cause !== 'object' || cause === null || !('retryAfterMs' in cause)) return undefined;
  return typeof cause.retryAfterMs === 'number' ? cause.retryAfterMs : undefined;
}
