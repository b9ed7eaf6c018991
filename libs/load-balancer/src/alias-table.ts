/**
 * Draws an index in proportion to its weight in constant time, whatever the number of weights.
 * Vose, "A linear algorithm for generating random numbers with a given distribution" (1991).
 */
export class AliasTable {
  /** Part of each slot that is the slot's own; the rest of it belongs to `#other`. */
  readonly #own: Float64Array;
  readonly #other: Uint32Array;
  /** Slots still to be paired: those below their share from the left, the others from the right. */
  readonly #open: Uint32Array;

  constructor(weights: ArrayLike<number>) {
    this.#own = new Float64Array(weights.length);
    this.#other = new Uint32Array(weights.length);
    this.#open = new Uint32Array(weights.length);
    this.fill(weights);
  }

  /** Takes other weights, as many as before, without allocating. All zero counts as all equal. */
  fill(weights: ArrayLike<number>): void {
    const own = this.#own;
    let total = 0;
    for (let at = 0; at < own.length; at++) total += weights[at] ?? 0;
    for (let at = 0; at < own.length; at++)
      own[at] = total > 0 ? ((weights[at] ?? 0) / total) * own.length : 1;
    this.#pair();
  }

  #pair(): void {
    const [own, other, open] = [this.#own, this.#other, this.#open];
    let poor = 0;
    let rich = open.length;
    for (let at = 0; at < open.length; at++) open[(own[at] ?? 0) < 1 ? poor++ : --rich] = at;
    while (poor > 0 && rich < open.length) {
      const taker = open[--poor] ?? 0;
      const giver = open[rich] ?? 0;
      other[taker] = giver;
      own[giver] = (own[giver] ?? 0) - (1 - (own[taker] ?? 0));
      if ((own[giver] ?? 0) < 1) {
        rich++;
        open[poor++] = giver;
      }
    }
    // Without a partner only rounding kept these from being whole.
    while (poor > 0) own[open[--poor] ?? 0] = 1;
  }

  /** The index for a random number from 0 (included) to 1 (excluded). */
  draw(random: number): number {
    const at = random * this.#own.length;
    const slot = Math.floor(at);
    return at - slot < (this.#own[slot] ?? 0) ? slot : (this.#other[slot] ?? 0);
  }
}
