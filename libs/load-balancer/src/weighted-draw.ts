import { AliasTable } from './alias-table.ts';
import { scan } from './lottery.ts';
import type { Picker, PickRequest, Random } from './policy.ts';

/** Draws before the whole set is looked at: with half of it refused, 1 pick in 256 comes that far. */
const mostDraws = 8;

/** Picks at random in proportion to weights that may change now and then. */
export class WeightedDraw<C> implements Picker<C> {
  readonly #candidates: readonly C[];
  readonly #random: Random;
  #table: AliasTable | undefined;
  #weights: ArrayLike<number>;

  constructor(candidates: readonly C[], weights: ArrayLike<number>, random: Random) {
    this.#candidates = candidates;
    this.#random = random;
    this.#weights = weights;
    this.reweigh(weights);
  }

  /** Other weights for the same candidates: O(n). */
  reweigh(weights: ArrayLike<number>): void {
    this.#weights = weights;
    if (allEqual(weights)) this.#table = undefined;
    else if (this.#table === undefined) this.#table = new AliasTable(weights);
    else this.#table.fill(weights);
  }

  pick(request: PickRequest<C>): C | undefined {
    for (let draws = 0; draws < mostDraws; draws++) {
      const drawn = this.any();
      if (drawn !== undefined && request.accepts(drawn)) return drawn;
    }
    return scan(this.#candidates, this.#weights, request, this.#random);
  }

  /** One draw, whether it is accepted or not. */
  any(): C | undefined {
    const number = this.#random();
    return this.#candidates[this.#table?.draw(number) ?? Math.floor(number * this.#candidates.length)];
  }
}

function allEqual(weights: ArrayLike<number>): boolean {
  for (let at = 1; at < weights.length; at++) if (weights[at] !== weights[0]) return false;
  return true;
}
