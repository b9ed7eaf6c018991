import { AliasTable } from './alias-table.ts';
import { scan } from './lottery.ts';
import type { Picker, Random } from './picker.ts';

/** Draws before the whole set is looked at: with half of it refused, 1 pick in 256 comes that far. */
const mostDraws = 8;

/** Picks at random in proportion to weights that may change now and then. */
export class WeightedDraw<C> implements Picker<C> {
  readonly #candidates: readonly C[];
  readonly #random: Random;
  readonly #table: AliasTable;
  #weights: ArrayLike<number>;

  constructor(candidates: readonly C[], weights: ArrayLike<number>, random: Random) {
    this.#candidates = candidates;
    this.#random = random;
    this.#weights = weights;
    this.#table = new AliasTable(weights);
  }

  /** Other weights for the same candidates: O(n). */
  reweigh(weights: ArrayLike<number>): void {
    this.#weights = weights;
    this.#table.fill(weights);
  }

  pick(accepts: (candidate: C) => boolean): C | undefined {
    for (let draws = 0; draws < mostDraws; draws++) {
      const drawn = this.#candidates[this.#table.draw(this.#random())];
      if (drawn !== undefined && accepts(drawn)) return drawn;
    }
    return scan(this.#candidates, this.#weights, accepts, this.#random);
  }
}
