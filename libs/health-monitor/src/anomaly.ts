import { Cusum } from './cusum.ts';
import { count, duration } from './range.ts';
import { Season } from './season.ts';
import { SortedWindow } from './sorted-window.ts';

/** One way to see that something is unusual. */
export type DetectorName = 'spike' | 'cusum' | 'level' | 'spread';

/** Whether a series is unusual at the moment, and who says so. */
export interface AnomalyView {
  /** At least two detectors agreed, and not all of them have come to rest since. */
  readonly active: boolean;
  /** The detectors that fire now. */
  readonly detectors: readonly DetectorName[];
  /** What was to be expected of the last value; undefined before the first. */
  readonly expected: number | undefined;
  /** Distance of the last value from that, in units of the usual scatter. */
  readonly score: number;
}

/** How a series is judged. */
export interface AnomalyOptions {
  /** Time in which the level follows a change, in milliseconds. Default 1 200 000 (20 min). */
  readonly memoryMs?: number;
  /** Nothing is judged before so many values. Default 60. */
  readonly warmUp?: number;
  /** The scatter is never taken for less, so that a constant series has no anomalies of nothing. Default 1e-9. */
  readonly minimumScale?: number;
}

/** Values whose scatter is what is usual. */
const scaleWindow = 256;
/** Values that make the present. */
const present = 36;
/** Scatter of the median of so many normal values, in units of theirs: sqrt(pi / 2 / n). */
const medianScatter = Math.sqrt(Math.PI / 2 / present);
/** While something is unusual, one value of so many is learnt from: a new normal is believed after hours, not minutes. */
const reluctance = 8;

/**
 * Judges one series of numbers in fixed memory (3 kB), value by value. What is expected is a level that follows slowly, plus what the hour of the
 * day and of the week usually add; the scatter is 1.4826 times the median deviation of the last 256 differences. Four detectors look at
 * the difference in units of that scatter, and two of them must agree:
 *
 * - `spike`: two of the last three values are more than 4 away;
 * - `cusum`: the mean has moved (Page's sums, slack 0.5, limit 14);
 * - `level`: the median of the last 36 values is more than 5.5 times its own scatter away;
 * - `spread`: the mean distance of the last 36 values is twice as large as usual.
 */
export class AnomalyDetector {
  readonly #memoryMs: number;
  readonly #warmUp: number;
  readonly #minimumScale: number;
  readonly #season = new Season();
  readonly #usual = new SortedWindow(scaleWindow);
  readonly #recent = new SortedWindow(present);
  readonly #cusum = new Cusum(0.5, 14);
  readonly #distances = new Float32Array(present);
  #distanceSum = 0;
  /** Bit k: whether the value k ago was far away. */
  #far = 0;
  #level = 0;
  #scale = Infinity;
  #count = 0;
  #lastAt = 0;
  #score = 0;
  #expected: number | undefined;
  #active = false;
  /** The level when the alarm began: what came back to it is over, whatever was learnt meanwhile. */
  #levelBefore = 0;
  #firing: readonly DetectorName[] = none;

  constructor(options: AnomalyOptions = {}) {
    this.#memoryMs = duration('memoryMs', options.memoryMs ?? 1_200_000);
    this.#warmUp = count('warmUp', options.warmUp ?? 60, 2);
    this.#minimumScale = duration('minimumScale', options.minimumScale ?? 1e-9);
  }

  get bytes(): number {
    return this.#season.bytes + this.#usual.bytes + this.#recent.bytes + this.#distances.byteLength;
  }

  get view(): AnomalyView {
    return { active: this.#active, detectors: this.#firing, expected: this.#expected, score: this.#score };
  }

  push(value: number, now: number): void {
    if (!Number.isFinite(value)) return;
    if (this.#count === 0) this.#level = value;
    const season = this.#season.at(now);
    this.#expected = this.#level + season;
    const difference = value - this.#expected;
    const isWarm = this.#count >= this.#warmUp;
    if (isWarm) this.#judge(difference);
    if (!this.#active || this.#count % reluctance === 0) this.#learn(difference, now, isWarm);
    this.#lastAt = now;
    this.#count++;
  }

  #judge(difference: number): void {
    const z = difference / this.#scale;
    this.#score = z;
    this.#far = ((this.#far << 1) | (Math.abs(z) > 4 ? 1 : 0)) & 7;
    const clamped = Math.max(-6, Math.min(6, z));
    this.#cusum.push(clamped);
    this.#recent.push(z);
    const place = this.#count % present;
    this.#distanceSum += Math.abs(clamped) - (this.#distances[place] ?? 0);
    this.#distances[place] = Math.abs(clamped);
    this.#firing = this.#detect();
    const wasActive = this.#active;
    this.#active = this.#firing.length >= (wasActive ? 1 : 2);
    if (this.#active && !wasActive) this.#levelBefore = this.#level;
    else if (this.#active) this.#comeBack();
  }

  #comeBack(): void {
    const distance = this.#recent.median + (this.#level - this.#levelBefore) / this.#scale;
    if (Math.abs(distance) > 2 * medianScatter) return;
    this.#level = this.#levelBefore;
    this.#cusum.clear();
  }

  #detect(): readonly DetectorName[] {
    const spike = this.#far === 3 || this.#far >= 5;
    const cusum = this.#cusum.isFiring;
    const full = this.#recent.count === present;
    const level = full && Math.abs(this.#recent.median) > 5.5 * medianScatter;
    // The mean distance of normal values is 0.8.
    const spread = full && this.#distanceSum > 1.6 * present;
    if (!spike && !cusum && !level && !spread) return none;
    const firing: DetectorName[] = [];
    if (spike) firing.push('spike');
    if (cusum) firing.push('cusum');
    if (level) firing.push('level');
    if (spread) firing.push('spread');
    return firing;
  }

  /** Far values teach as little as near ones, so that a spike leaves no trace. */
  #learn(difference: number, now: number, isWarm: boolean): void {
    const bound = isWarm ? 3 * this.#scale : Infinity;
    const lesson = Math.max(-bound, Math.min(bound, difference));
    const weight = isWarm
      ? 1 - Math.exp(-Math.max(0, now - this.#lastAt) / this.#memoryMs)
      : 1 / (this.#count + 1);
    this.#level += weight * lesson;
    this.#usual.push(difference);
    if (isWarm) this.#season.learn(now, lesson);
    if (!isWarm || this.#count % 8 === 0) {
      this.#rescale(Math.max(this.#minimumScale, 1.4826 * this.#usual.medianDeviation), isWarm);
    }
  }

  /** Slowly, for the scatter of 256 values is itself uncertain by 7 %. */
  #rescale(scale: number, isWarm: boolean): void {
    this.#scale = isWarm ? this.#scale + 0.02 * (scale - this.#scale) : scale;
  }
}

const none: readonly DetectorName[] = [];

/** Of a series of which nothing was seen yet. */
export const nothingUnusual: AnomalyView = { active: false, detectors: none, expected: undefined, score: 0 };
