import type { Candidate, Picker, Policy, Random } from './picker.ts';
import { WeightedDraw } from './weighted-draw.ts';

/** Any candidate, in proportion to its weight. */
export function randomPolicy(random: Random): Policy {
  return {
    build<C extends Candidate>(candidates: readonly C[]): Picker<C> {
      const weights = candidates.map(({ weight }) => weight);
      return new WeightedDraw(candidates, weights, random);
    },
  };
}
