import { lapOf } from './lap.ts';
import { scan } from './lottery.ts';
import type { Candidate, Picker, Policy, PolicyTools } from './policy.ts';

/**
 * One after the other, each as often as its weight says. Starts anywhere, so that many callers that start together do
 * not all begin with the same endpoint, and goes on where it was when the set is refreshed.
 */
export function roundRobinPolicy({ random }: PolicyTools): Policy {
  // Counts on over every set: cut down to one lap it would end at 0 in a set of one, and callers would march in step.
  let turn = Math.floor(random() * 2 ** 20);
  return {
    build<C extends Candidate>(candidates: readonly C[]): Picker<C> {
      const weights = candidates.map(({ weight }) => weight);
      const lap = lapOf(weights);
      return {
        pick(request) {
          for (let steps = 0; steps < lap.length; steps++) {
            const candidate = candidates[lap[turn++ % lap.length] ?? 0];
            if (candidate !== undefined && request.accepts(candidate)) return candidate;
          }
          // Nobody on the lap; what is left has a weight of 0.
          return scan(candidates, weights, request, random);
        },
      };
    },
  };
}
