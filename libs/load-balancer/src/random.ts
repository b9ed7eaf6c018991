import type { Policy, PolicyTools } from './policy.ts';
import { WeightedDraw } from './weighted-draw.ts';

/** Any candidate, in proportion to its weight. */
export function randomPolicy({ random }: PolicyTools): Policy {
  return {
    build: (candidates) =>
      new WeightedDraw(
        candidates,
        candidates.map(({ weight }) => weight),
        random,
      ),
  };
}
