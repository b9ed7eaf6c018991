import type { Candidate, Picker, PickRequest, Random } from './policy.ts';
import { WeightedDraw } from './weighted-draw.ts';

/** Draws for the second of two choices before the whole set is looked at; and further draws when both are bad. */
const mostDraws = 8;

/** Both are bad when the better one is loaded so many times as much as those that were picked lately. */
const badFactor = 8;

/**
 * Part of the way that the usual load moves to a new one. Slowly up and never by a stray: bad picks would raise what is usual,
 * until bad is usual, and then nobody would look further any more.
 */
const [ratioUp, ratioDown] = [1 / 128, 1 / 16] as const;

/**
 * The less loaded of two candidates drawn at random by weight: nearly as good as the least of all, O(1), and it does not
 * send every caller to the same one (Mitzenmacher, "The power of two choices in randomized load balancing", 2001). With
 * equal loads the first drawn stays, so the shares are the weights. Where both are far worse than usual it looks further: of
 * three endpoints two may be sick, and every third pair is then made of them.
 *
 * `load` is any number that is lower for who should be picked; it need not know the weights (`pressure` does).
 * `nowMs` is told when the function takes it.
 */
export function twoChoices<C extends Candidate>(
  candidates: readonly C[],
  random: Random,
  load: (candidate: C, nowMs: number) => number,
): Picker<C> {
  return new TwoChoices(candidates, random, load);
}

class TwoChoices<C extends Candidate> implements Picker<C> {
  readonly #candidates: readonly C[];
  readonly #random: Random;
  readonly #load: (candidate: C, nowMs: number) => number;
  /** The clock costs more than all the rest: it is read only for who asks for the time. */
  readonly #isTimed: boolean;
  readonly #draw: WeightedDraw<C>;
  /** The smallest weight: a replica, as it were. */
  readonly #unit: number;
  #usual: number | undefined;
  /** Whether the second draw fell on the first candidate as well. */
  #stays = false;

  constructor(candidates: readonly C[], random: Random, load: (candidate: C, nowMs: number) => number) {
    const weights = candidates.map(({ weight }) => weight);
    this.#candidates = candidates;
    this.#random = random;
    this.#load = load;
    this.#isTimed = load.length > 1;
    this.#draw = new WeightedDraw(candidates, weights, random);
    this.#unit = weights.reduce((least, weight) => (weight > 0 ? Math.min(least, weight) : least), Infinity);
  }

  pick(request: PickRequest<C>): C | undefined {
    const one = this.#draw.pick(request);
    if (one === undefined) return undefined;
    const load = this.#load;
    const nowMs = this.#isTimed ? request.nowMs : 0;
    const other = this.#second(one, request);
    const first = load(one, nowMs);
    const second = other === one ? Infinity : load(other, nowMs);
    const isBetter = second * (this.#stays ? badFactor : 1) < first;
    const chosen = isBetter ? other : one;
    const least = isBetter ? second : first;
    if (least > (this.#usual ?? least) * badFactor) return this.#further(chosen, least, request, nowMs);
    this.#learn(least);
    return chosen;
  }

  /**
   * As if each unit of weight were a replica and two different replicas were drawn: both may be of one candidate. Then it
   * stays, unless it is far worse than another.
   */
  #second(one: C, request: PickRequest<C>): C {
    this.#stays = false;
    for (let draws = 0; draws < mostDraws; draws++) {
      const other = this.#draw.any();
      if (other === one) this.#stays ||= one.weight > this.#unit && this.#random() * one.weight >= this.#unit;
      else if (other !== undefined && request.accepts(other)) return other;
    }
    return this.#anyOther(one, request);
  }

  /** Hardly ever needed: of a set that is refused for the most part, one at random beside the one that was found. */
  #anyOther(one: C, request: PickRequest<C>): C {
    const { length } = this.#candidates;
    const start = Math.floor(this.#random() * length);
    for (let step = 0; step < length; step++) {
      const other = this.#candidates[(start + step) % length];
      if (other !== undefined && other !== one && other.weight > 0 && request.accepts(other)) return other;
    }
    return one;
  }

  #further(one: C, load: number, request: PickRequest<C>, nowMs: number): C {
    const usual = this.#usual ?? load;
    let chosen = one;
    let least = load;
    for (let draws = 0; draws < mostDraws && least > usual * badFactor; draws++) {
      const other = this.#draw.any();
      if (other === undefined || other === chosen || !request.accepts(other)) continue;
      const its = this.#load(other, nowMs);
      if (its < least) [chosen, least] = [other, its];
    }
    this.#learn(least);
    return chosen;
  }

  #learn(load: number): void {
    if (load === Infinity) return;
    const usual = this.#usual ?? load;
    if (load <= usual) this.#usual = usual + (load - usual) * ratioDown;
    else this.#usual = usual + (usual > 0 ? Math.min(load - usual, usual * badFactor) : load) * ratioUp;
  }
}
