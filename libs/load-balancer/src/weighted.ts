import { unmeasuredMs } from './load.ts';
import type { Candidate, LeaseResult, Picker, Policy, PolicyTools, Tracker } from './policy.ts';
import { WeightedDraw } from './weighted-draw.ts';

/** What {@link weightedPolicy} takes. */
export interface WeightedOptions {
  /**
   * `latency` (default): speed is `1000 / (average response time in ms || 1000)`. `latency-and-success`: speed is
   * `success ratio ^ 4 / (mean response time of all + average response time)`, which also avoids who fails.
   */
  readonly formula?: 'latency' | 'latency-and-success';
}

/** Answers faster than this are equally fast: below it the differences are noise, and 0 would be infinitely fast. */
const fastestMs = 1;

/** The picks between two looks at the response times, at least: with n endpoints it is n, so a pick stays O(1). */
const fewestPicks = 16;

/** Nobody's speed counts less than this part of the mean: who gets no traffic can never show that it has recovered. */
const floorRatio = { latency: 0.1, 'latency-and-success': 0.05 } as const;

/**
 * At random, in proportion to weight and speed.
 *
 * @throws RangeError when there is no such formula.
 */
export function weightedPolicy(
  { random }: PolicyTools,
  { formula = 'latency' }: WeightedOptions = {},
): Policy<Successes | undefined> {
  if (!Object.hasOwn(floorRatio, formula))
    throw new RangeError(
      `loadBalancer: formula must be one of ${Object.keys(floorRatio).join(', ')}, got ${JSON.stringify(formula)}`,
    );
  const floor = floorRatio[formula];
  if (formula === 'latency')
    return { build: (candidates) => speedPicker(candidates, random, () => speedOf, floor) };
  return {
    track: () => new Successes(),
    build: (candidates) => speedPicker(candidates, random, goodSpeedOf, floor),
  };
}

/** `speeds` is asked once for each look at the whole set. */
function speedPicker<C extends Candidate>(
  candidates: readonly C[],
  random: () => number,
  speeds: (candidates: readonly C[]) => (candidate: C) => number,
  floor: number,
): Picker<C> {
  const weights = new Float64Array(candidates.length);
  weigh(candidates, speeds(candidates), floor, weights);
  const draw = new WeightedDraw(candidates, weights, random);
  const period = Math.max(candidates.length, fewestPicks);
  let left = period;
  return {
    pick(request) {
      if (left-- === 0) {
        weigh(candidates, speeds(candidates), floor, weights);
        draw.reweigh(weights);
        left = period;
      }
      return draw.pick(request);
    },
  };
}

/** Fills `weights`. The mean speed is that of the weighted set, so the floor leaves the ratio of equal speeds alone. */
function weigh<C extends Candidate>(
  candidates: readonly C[],
  speed: (candidate: C) => number,
  floor: number,
  weights: Float64Array,
): void {
  let total = 0;
  let speeds = 0;
  for (const candidate of candidates) {
    total += candidate.weight;
    speeds += candidate.weight * speed(candidate);
  }
  const slowest = total > 0 ? (floor * speeds) / total : 0;
  candidates.forEach((candidate, at) => {
    weights[at] = candidate.weight * Math.max(slowest, speed(candidate));
  });
}

function speedOf({ latencyMs }: Candidate): number {
  return 1000 / Math.max(fastestMs, latencyMs ?? unmeasuredMs);
}

function goodSpeedOf(
  candidates: readonly Candidate<Successes | undefined>[],
): (candidate: Candidate<Successes | undefined>) => number {
  const known = candidates.flatMap(({ latencyMs }) => latencyMs ?? []);
  const mean = known.reduce((sum, latencyMs) => sum + latencyMs, 0) / known.length || unmeasuredMs;
  return ({ latencyMs = mean, tracker }) =>
    (tracker?.ratio ?? 1) ** 4 / Math.max(fastestMs, mean + latencyMs);
}

/** Part of the last answers that were successes; the last five make up two thirds of it. */
export class Successes implements Tracker {
  ratio = 1;

  ended({ outcome }: LeaseResult): void {
    if (outcome !== 'ignored') this.ratio += 0.2 * ((outcome === 'success' ? 1 : 0) - this.ratio);
  }
}
