import { hashOf, mix } from './hash.ts';
import { hashOrder } from './points.ts';
import type { Candidate, Picker, PickRequest, Policy } from './policy.ts';
import { Rendezvous } from './rendezvous.ts';

/** Primes. The smallest that has so many slots for each candidate is taken, or else the last. */
const sizes = [65_537, 655_373, 5_000_011] as const;
const fewestSlotsEach = 6;

/** Slots tried for a key whose candidates are refused before the whole set is looked at. */
const mostTries = 8;

/**
 * A table of slots, filled by the candidates in turn, each by its own permutation: a key costs one look-up, shares are equal to
 * a slot, and few keys move that need not (Eisenbud and others, "Maglev", NSDI 2016; weights as in Envoy).
 */
export function maglevPolicy(): Policy {
  return { build: (candidates) => new Maglev(candidates) };
}

/** The table. */
export class Maglev<C extends Candidate> implements Picker<C> {
  readonly #candidates: readonly C[];
  readonly #table: Uint32Array;
  #rendezvous: Rendezvous<C> | undefined;

  constructor(candidates: readonly C[]) {
    this.#candidates = candidates;
    this.#table = candidates.length > 1 ? tableOf(candidates) : new Uint32Array(candidates.length);
  }

  pick(request: Pick<PickRequest<C>, 'accepts' | 'hash'>): C | undefined {
    const { length } = this.#table;
    let { hash } = request;
    for (let tries = 0; tries < mostTries; tries++) {
      const candidate = this.#candidates[this.#table[hash % length] ?? 0];
      if (candidate !== undefined && request.accepts(candidate)) return candidate;
      hash = mix(hash + 1);
    }
    this.#rendezvous ??= new Rendezvous(this.#candidates);
    return this.#rendezvous.pick(request);
  }
}

function tableOf(candidates: readonly Candidate[]): Uint32Array {
  const order = hashOrder(candidates);
  const size = sizes.find((slots) => slots >= order.length * fewestSlotsEach) ?? sizes[2];
  const next = Uint32Array.from(order, (at) => hashOf(idAt(candidates, at), 1) % size);
  const skip = Uint32Array.from(order, (at) => (hashOf(idAt(candidates, at), 2) % (size - 1)) + 1);
  const weights = Float64Array.from(order, (at) => candidates[at]?.weight ?? 0);
  const heaviest = weights.reduce((most, weight) => Math.max(most, weight), 0) || 1;
  const targets = new Float64Array(order.length);
  const table = new Uint32Array(size).fill(size);
  for (let turn = 1, filled = 0; ; turn++) {
    for (let at = 0; at < order.length; at++) {
      if (turn * (weights[at] || heaviest) < (targets[at] ?? 0)) continue;
      targets[at] = (targets[at] ?? 0) + heaviest;
      let slot = next[at] ?? 0;
      while (table[slot] !== size) slot = (slot + (skip[at] ?? 0)) % size;
      table[slot] = order[at] ?? 0;
      next[at] = (slot + (skip[at] ?? 0)) % size;
      if (++filled === size) return table;
    }
  }
}

function idAt(candidates: readonly Candidate[], at: number): string {
  return candidates[at]?.id ?? '';
}
