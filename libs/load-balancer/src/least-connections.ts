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
      let winner: C | undefined;
      let least = Infinity;
      let tied = 0;
      for (const candidate of candidates) {
        if (!request.accepts(candidate)) continue;
        const { pressure } = candidate;
        if (pressure > least) continue;
        // Those of weight 0 have all the same pressure, Infinity, and count as equals.
        const ticket = candidate.weight || 1;
        tied = pressure < least ? ticket : tied + ticket;
        least = pressure;
        if (tied === ticket || random() * tied < ticket) winner = candidate;
      }
      return winner;
    },
  };
}
