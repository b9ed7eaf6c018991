import { Lottery } from './lottery.ts';
import type { Candidate, Picker, Policy, PolicyTools, Random } from './policy.ts';
import { twoChoices } from './two-choices.ts';

/** Up to here the exact answer costs no more than two random draws. */
const mostScanned = 8;

/**
 * The candidate with the fewest open leases for its weight. Exact up to 8 candidates, with ties decided at random in
 * proportion to the weights (the first of the list would get up to 95 % of the traffic); above, the better of two at random.
 */
export function leastConnectionsPolicy({ random }: PolicyTools): Policy {
  return {
    build: (candidates) =>
      candidates.length <= mostScanned
        ? leastOf(candidates, random)
        : twoChoices(candidates, random, ({ pressure }) => pressure),
  };
}

function leastOf<C extends Candidate>(candidates: readonly C[], random: Random): Picker<C> {
  return {
    pick(request) {
      let least = Infinity;
      let ties = new Lottery<C>(random);
      for (const candidate of candidates) {
        if (!request.accepts(candidate)) continue;
        const load = candidate.pressure;
        if (load > least) continue;
        if (load < least) ties = new Lottery<C>(random);
        least = load;
        ties.enter(candidate, candidate.weight);
      }
      return ties.winner;
    },
  };
}
