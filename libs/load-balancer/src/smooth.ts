import type { PickRequest } from './policy.ts';

/**
 * Smooth weighted round-robin (nginx): everybody's credit grows by its weight, the highest is picked and pays the sum. Exact
 * shares among those accepted, spread as evenly as can be; O(n), so for small sets.
 */
export class SmoothTurns<C extends { readonly weight: number }> {
  readonly #candidates: readonly C[];
  readonly #credits: Float64Array;

  /** `phase` (a whole number from 0) says how many turns have been taken. */
  constructor(candidates: readonly C[], phase: number) {
    this.#candidates = candidates;
    this.#credits = new Float64Array(candidates.length);
    const everybody = { accepts: () => true };
    for (let turn = 0; turn < phase; turn++) this.pick(everybody);
  }

  pick(request: Pick<PickRequest<C>, 'accepts'>): C | undefined {
    let total = 0;
    let best = -1;
    for (let at = 0; at < this.#candidates.length; at++) {
      const candidate = this.#candidates[at];
      if (candidate === undefined || candidate.weight === 0 || !request.accepts(candidate)) continue;
      total += candidate.weight;
      const credit = (this.#credits[at] ?? 0) + candidate.weight;
      this.#credits[at] = credit;
      if (best < 0 || credit > (this.#credits[best] ?? 0)) best = at;
    }
    if (best < 0) return undefined;
    this.#credits[best] = (this.#credits[best] ?? 0) - total;
    return this.#candidates[best];
  }
}
