import type { PickRequest, Random } from './policy.ts';

/** Chooses among entries that come one by one, each in proportion to its weight (weighted reservoir of one). */
export class Lottery<C> {
  readonly #random: Random;
  #total = 0;
  #weightless = 0;
  #winner: C | undefined;

  constructor(random: Random) {
    this.#random = random;
  }

  get winner(): C | undefined {
    return this.#winner;
  }

  enter(entry: C, weight: number): void {
    this.#total += weight;
    // Entries of weight 0 share the prize evenly until one comes that weighs something.
    const chance = this.#total > 0 ? weight / this.#total : 1 / ++this.#weightless;
    if (chance === 1 || this.#random() < chance) this.#winner = entry;
  }
}

/** One of the accepted candidates in proportion to its weight, by one look at each. */
export function scan<C>(
  candidates: readonly C[],
  weights: ArrayLike<number>,
  request: PickRequest<C>,
  random: Random,
): C | undefined {
  const lottery = new Lottery<C>(random);
  for (let at = 0; at < candidates.length; at++) {
    const candidate = candidates[at];
    if (candidate !== undefined && request.accepts(candidate)) lottery.enter(candidate, weights[at] ?? 0);
  }
  return lottery.winner;
}
