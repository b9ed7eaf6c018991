/** A value at a time (milliseconds). */
export interface Point {
  readonly at: number;
  readonly value: number;
}

/** Where a series of points goes. */
export interface Trend {
  /** Change in an hour: the median of the slopes between all pairs (Theil, 1950; Sen, 1968). */
  readonly slopePerHour: number;
  /** 95 % confidence limits of the slope (Sen, 1968). */
  readonly low: number;
  readonly high: number;
  /** Probability that points without a trend look like this, both sides (Mann, 1945; Kendall, 1975; ties corrected). */
  readonly p: number;
  /** `p < 0.05` and not level. */
  readonly direction: 'rising' | 'falling' | 'none';
  /** The value that the trend gives for a time: the line through the median point. */
  valueAt(at: number): number;
}

const hourMs = 3_600_000;
/** All pairs of so many points are 2016 slopes. */
const mostPoints = 64;

/**
 * The trend of the last 64 points, which a few wild ones do not bend. Undefined for fewer than four.
 *
 * ```ts
 * const trend = trendOf([1, 2, 30, 4, 5].map((value, hour) => ({ at: hour * 3_600_000, value })));
 * trend?.slopePerHour; // 1
 * ```
 */
export function trendOf(all: readonly Point[]): Trend | undefined {
  const points = all.slice(-mostPoints);
  if (points.length < 4) return undefined;
  const { slopes, sign } = pairs(points);
  const spread = Math.sqrt(variance(points));
  const slope = median(slopes);
  const z = spread === 0 ? 0 : (sign - Math.sign(sign)) / spread;
  const p = 2 * (1 - normal(Math.abs(z)));
  const margin = 1.96 * spread;
  const limit = (rank: number): number =>
    slopes[Math.min(slopes.length - 1, Math.max(0, Math.round(rank)))] ?? slope;
  const base = median(points.map(({ at, value }) => value - (slope * at) / hourMs).sort(ascending));
  return {
    slopePerHour: slope,
    low: limit((slopes.length - margin) / 2 - 1),
    high: limit((slopes.length + margin) / 2),
    p,
    direction: p < 0.05 && slope !== 0 ? (slope > 0 ? 'rising' : 'falling') : 'none',
    valueAt: (at) => base + (slope * at) / hourMs,
  };
}

/**
 * When a trend reaches a limit, in milliseconds from `now`; 0 when it is there, undefined when it moves away from it or does not move.
 */
export function reaches(trend: Trend, limit: number, now: number): number | undefined {
  const missing = limit - trend.valueAt(now);
  if (trend.direction === 'none') return undefined;
  if (missing * trend.slopePerHour < 0) {
    // Behind it already, in the direction of the trend.
    return 0;
  }
  return (missing / trend.slopePerHour) * hourMs;
}

const ascending = (a: number, b: number): number => a - b;

const median = (sorted: readonly number[]): number =>
  ((sorted[(sorted.length - 1) >> 1] ?? NaN) + (sorted[sorted.length >> 1] ?? NaN)) / 2;

/** The slopes between all pairs, the flattest first, and Kendall's S: how many go up less how many go down. */
function pairs(points: readonly Point[]): { readonly slopes: number[]; readonly sign: number } {
  const slopes: number[] = [];
  let sign = 0;
  points.forEach((later, index) => {
    for (const earlier of points.slice(0, index)) {
      const change = later.value - earlier.value;
      sign += Math.sign(change);
      if (later.at > earlier.at) slopes.push((change * hourMs) / (later.at - earlier.at));
    }
  });
  return { slopes: slopes.sort(ascending), sign };
}

/** Variance of S without a trend; equal values lower it. */
function variance(points: readonly Point[]): number {
  const term = (n: number): number => n * (n - 1) * (2 * n + 5);
  const ties = new Map<number, number>();
  for (const { value } of points) ties.set(value, (ties.get(value) ?? 0) + 1);
  const tied = [...ties.values()].reduce((sum, size) => sum + term(size), 0);
  return (term(points.length) - tied) / 18;
}

/** Distribution of the normal law (Abramowitz and Stegun, 26.2.17; error below 7.5e-8). */
function normal(z: number): number {
  const t = 1 / (1 + 0.2316419 * z);
  const factors = [0.31938153, -0.356563782, 1.781477937, -1.821255978, 1.330274429];
  const sum = factors.reduce((total, factor, index) => total + factor * t ** (index + 1), 0);
  return 1 - (Math.exp((-z * z) / 2) / Math.sqrt(2 * Math.PI)) * sum;
}
