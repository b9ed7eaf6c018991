import { hashOf, mix } from './hash.ts';
import type { Candidate, Picker, Policy } from './policy.ts';

/**
 * Highest random weight (Thaler, Ravishankar 1998): every candidate bids for the key, the highest bid wins. Nothing to build,
 * perfectly fair, moves nothing but the keys of who comes or goes; O(n) for each pick, so for up to some dozens.
 */
export function rendezvousPolicy(): Policy {
  return { build: (candidates) => new Rendezvous(candidates) };
}

/** The bidding. Also the answer of other hashing pickers when most of their set is refused. */
export class Rendezvous<C extends Candidate> implements Picker<C> {
  readonly #candidates: readonly C[];
  readonly #seeds: Uint32Array;

  constructor(candidates: readonly C[]) {
    this.#candidates = candidates;
    this.#seeds = Uint32Array.from(candidates, ({ id }) => hashOf(id));
  }

  pick(request: { accepts(candidate: C): boolean; readonly hash: number }): C | undefined {
    const { hash } = request;
    let winner: C | undefined;
    let highest = -Infinity;
    for (let at = 0; at < this.#candidates.length; at++) {
      const candidate = this.#candidates[at];
      if (candidate === undefined) continue;
      const bid = bidOf(candidate.weight, mix(hash ^ (this.#seeds[at] ?? 0)));
      if (bid <= highest || !request.accepts(candidate)) continue;
      winner = candidate;
      highest = bid;
    }
    return winner;
  }
}

/** `-weight / ln(h)` with h from 0 to 1: shares are the weights. A weight of 0 bids below all others. */
function bidOf(weight: number, bits: number): number {
  const h = (bits + 0.5) / 2 ** 32;
  return weight > 0 ? -weight / Math.log(h) : h - 1;
}
