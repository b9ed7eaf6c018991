import { hashOf, mix } from './hash.ts';
import { hashOrder } from './points.ts';
import type { Candidate, Picker, PickRequest, Policy } from './policy.ts';
import { Rendezvous } from './rendezvous.ts';

/** Primes. The smallest that has so many slots for each candidate is taken, or else the last. */
const sizes = [65_537, 655_373, 5_000_011] as const;
const fewestSlotsEach = 6;

/** 16 bits hold the indexes of all but enormous sets, and stay in the cache. */
type Slots = Uint16Array | Uint32Array;

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
  readonly #table: Slots;
  #rendezvous: Rendezvous<C> | undefined;

  constructor(candidates: readonly C[]) {
    this.#candidates = candidates;
    this.#table = candidates.length > 1 ? tableOf(candidates) : new Uint16Array(candidates.length);
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

function tableOf(candidates: readonly Candidate[]): Slots {
  const order = hashOrder(candidates);
  const size = sizes.find((slots) => slots >= order.length * fewestSlotsEach) ?? sizes[2];
  const hashes = Uint32Array.from(order, (at) => hashOf(candidates[at]?.id ?? ''));
  const next = hashes.map((hash) => mix(hash + 1) % size);
  const skip = hashes.map((hash) => (mix(hash + 2) % (size - 1)) + 1);
  const weights = Float64Array.from(order, (at) => candidates[at]?.weight ?? 0);
  const heaviest = weights.reduce((most, weight) => Math.max(most, weight), 0) || 1;
  const targets = new Float64Array(order.length);
  const table = candidates.length <= 2 ** 16 ? new Uint16Array(size) : new Uint32Array(size);
  // Most of the time goes into the search for the last free slots: one bit each stays in the nearest cache.
  const taken = new Uint32Array((size >>> 5) + 1);
  for (let turn = 1, filled = 0; ; turn++) {
    for (let at = 0; at < order.length; at++) {
      if (turn * (weights[at] || heaviest) < (targets[at] ?? 0)) continue;
      targets[at] = (targets[at] ?? 0) + heaviest;
      const slot = freeSlot(taken, size, next[at] ?? 0, skip[at] ?? 1);
      taken[slot >>> 5] = (taken[slot >>> 5] ?? 0) | (1 << (slot & 31));
      table[slot] = order[at] ?? 0;
      next[at] = slot;
      if (++filled === size) return table;
    }
  }
}

/** The next slot of a permutation that nobody has taken. */
function freeSlot(taken: Uint32Array, size: number, start: number, skip: number): number {
  let slot = start;
  while (((taken[slot >>> 5] ?? 0) >>> (slot & 31)) & 1) {
    // (slot + skip) % size without a division, and without a branch that nobody can foresee.
    slot += skip - size;
    slot += size & (slot >> 31);
  }
  return slot;
}
