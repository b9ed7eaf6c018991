import { unmeasuredMs } from './load.ts';
import type { Candidate, Picker, Policy, PolicyTools } from './policy.ts';
import { WeightedDraw } from './weighted-draw.ts';

/** Nobody's speed counts less than this part of the mean: who gets no traffic can never show that it has recovered. */
const floorRatio = 0.1;

/** Answers faster than this are equally fast: below it the differences are noise, and 0 would be infinitely fast. */
const fastestMs = 1;

/** The picks between two looks at the response times, at least: with n endpoints it is n, so a pick stays O(1). */
const fewestPicks = 16;

/**
 * At random, in proportion to weight and speed: `weight * 1000 / (average response time in ms || 1000)`, where the speed
 * is at least a tenth of the mean.
 */
export function weightedPolicy({ random }: PolicyTools): Policy {
  return {
    build<C extends Candidate>(candidates: readonly C[]): Picker<C> {
      const weights = new Float64Array(candidates.length);
      weighBySpeed(candidates, weights);
      const draw = new WeightedDraw(candidates, weights, random);
      const period = Math.max(candidates.length, fewestPicks);
      let left = period;
      return {
        pick(request) {
          if (left-- === 0) {
            weighBySpeed(candidates, weights);
            draw.reweigh(weights);
            left = period;
          }
          return draw.pick(request);
        },
      };
    },
  };
}

function speedOf({ latencyMs }: Candidate): number {
  return 1000 / Math.max(fastestMs, latencyMs ?? unmeasuredMs);
}

/** Fills `weights`. The mean speed is that of the weighted set, so the floor leaves the ratio of equal speeds alone. */
function weighBySpeed(candidates: readonly Candidate[], weights: Float64Array): void {
  let total = 0;
  let speeds = 0;
  for (const candidate of candidates) {
    total += candidate.weight;
    speeds += candidate.weight * speedOf(candidate);
  }
  const floor = total > 0 ? (floorRatio * speeds) / total : 0;
  candidates.forEach((candidate, at) => {
    weights[at] = candidate.weight * Math.max(floor, speedOf(candidate));
  });
}
