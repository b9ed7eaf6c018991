import type { Candidate, Picker, PickRequest, Random } from './policy.ts';
import { WeightedDraw } from './weighted-draw.ts';

/** Draws for the second of two choices before the whole set is looked at. */
const mostDraws = 8;

/**
 * The less loaded of two candidates drawn at random by weight: nearly as good as the least of all, O(1), and it does not
 * send every caller to the same one (Mitzenmacher, "The power of two choices in randomized load balancing", 2001). With
 * equal loads the first drawn stays, so the shares are the weights.
 *
 * `load` is any number that is lower for who should be picked; it need not know the weights (`pressure` does).
 * `nowMs` is told when the function takes it.
 */
export function twoChoices<C extends Candidate>(
  candidates: readonly C[],
  random: Random,
  load: (candidate: C, nowMs: number) => number,
): Picker<C> {
  const draw = new WeightedDraw(
    candidates,
    candidates.map(({ weight }) => weight),
    random,
  );
  const unit = candidates.reduce(
    (least, { weight }) => (weight > 0 ? Math.min(least, weight) : least),
    Infinity,
  );
  // The clock costs more than all the rest: it is read only for who asks for the time.
  const isTimed = load.length > 1;
  return {
    pick(request) {
      const one = draw.pick(request);
      if (one === undefined) return undefined;
      for (let draws = 0; draws < mostDraws; draws++) {
        const other = draw.any();
        if (other === one) {
          // As if each unit of weight were a replica, and two different replicas were drawn: both may be of one candidate.
          if (one.weight > unit && random() * one.weight >= unit) return one;
        } else if (other !== undefined && request.accepts(other)) {
          const nowMs = isTimed ? request.nowMs : 0;
          return load(other, nowMs) < load(one, nowMs) ? other : one;
        }
      }
      const other = anyOther(candidates, one, request, random);
      const nowMs = isTimed ? request.nowMs : 0;
      return other !== undefined && load(other, nowMs) < load(one, nowMs) ? other : one;
    },
  };
}

/** Hardly ever needed: of a set that is refused for the most part, one at random beside the one that was found. */
function anyOther<C extends Candidate>(
  candidates: readonly C[],
  one: C,
  request: PickRequest<C>,
  random: Random,
): C | undefined {
  const start = Math.floor(random() * candidates.length);
  for (let step = 0; step < candidates.length; step++) {
    const other = candidates[(start + step) % candidates.length];
    if (other !== undefined && other !== one && other.weight > 0 && request.accepts(other)) return other;
  }
  return undefined;
}
