import { Lottery } from './lottery.ts';
import type { Candidate, Picker, Policy, Random } from './picker.ts';
import { WeightedDraw } from './weighted-draw.ts';

/** Up to here the exact answer costs no more than two random draws. */
const mostScanned = 8;

/** Draws for the second of two choices before the whole set is looked at. */
const mostDraws = 8;

/**
 * The candidate with the fewest open leases for its weight. Exact up to 8 candidates; above, the better of two at random,
 * which is nearly as good and does not send every caller to the same one (Mitzenmacher, "The power of two choices in
 * randomized load balancing", 2001). Ties are decided at random in proportion to the weights.
 */
export function leastConnectionsPolicy(random: Random): Policy {
  return {
    build<C extends Candidate>(candidates: readonly C[]): Picker<C> {
      const exact = leastOf(candidates, random);
      return candidates.length <= mostScanned ? exact : betterOfTwo(candidates, random, exact);
    },
  };
}

/** Open leases for each unit of weight; a weight of 0 is always the most loaded. */
function loadOf({ inflight, weight }: Candidate): number {
  return weight > 0 ? inflight / weight : Infinity;
}

function leastOf<C extends Candidate>(candidates: readonly C[], random: Random): Picker<C> {
  return {
    pick(accepts) {
      let least = Infinity;
      let ties = new Lottery<C>(random);
      for (const candidate of candidates) {
        if (!accepts(candidate)) continue;
        const load = loadOf(candidate);
        if (load > least) continue;
        if (load < least) ties = new Lottery<C>(random);
        least = load;
        ties.enter(candidate, candidate.weight);
      }
      return ties.winner;
    },
  };
}

function betterOfTwo<C extends Candidate>(
  candidates: readonly C[],
  random: Random,
  exact: Picker<C>,
): Picker<C> {
  const weights = candidates.map(({ weight }) => weight);
  const draw = new WeightedDraw(candidates, weights, random);
  return {
    pick(accepts) {
      const one = draw.pick(accepts);
      if (one === undefined) return undefined;
      for (let draws = 0; draws < mostDraws; draws++) {
        // Not by weight: beside one heavy candidate the draw would hardly ever find a second.
        const other = candidates[Math.floor(random() * candidates.length)];
        if (other === undefined || other === one || !accepts(other)) continue;
        return loadOf(other) < loadOf(one) ? other : one;
      }
      return exact.pick(accepts);
    },
  };
}
