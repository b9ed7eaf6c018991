import { mix } from './hash.ts';
import { ringPoints } from './points.ts';
import type { Candidate, Picker, PickRequest, Policy } from './policy.ts';
import { Rendezvous } from './rendezvous.ts';

/** Points of all candidates together: few have many each, which expresses weights better, many have 4 each. */
const pointsOfAll = 4096;
const [fewestEach, mostEach] = [4, 64] as const;

/** Places at which a key asks the ring: the most loaded candidate has 5 % more than its share, whatever the number. */
const probes = 21;

/**
 * A hash ring on which each key asks at 21 places and goes to the nearest point of all (Appleton, O'Reilly, "Multi-probe
 * consistent hashing", 2015). With one question a ring needs 1000 points for each candidate to be as fair, which takes
 * many times as long to build.
 */
export function ringHashPolicy(): Policy {
  return { build: (candidates) => new Ring(candidates) };
}

class Ring<C extends Candidate> implements Picker<C> {
  readonly #candidates: readonly C[];
  readonly #places: Uint32Array;
  readonly #owners: Uint32Array;
  /** For the upper bits of a place the first point at or behind it. */
  readonly #index: Uint32Array;
  readonly #shift: number;
  #rendezvous: Rendezvous<C> | undefined;

  constructor(candidates: readonly C[]) {
    const mean = candidates.reduce((sum, { weight }) => sum + weight, 0) / candidates.length;
    const pointsEach = Math.max(fewestEach, Math.min(mostEach, Math.floor(pointsOfAll / candidates.length)));
    const count = ({ weight }: Candidate) => {
      if (mean === 0) return pointsEach;
      return weight === 0 ? 0 : Math.max(1, Math.round((weight / mean) * pointsEach));
    };
    const { places, owners } = ringPoints(candidates, count);
    const bits = Math.ceil(Math.log2(Math.max(2, places.length)));
    this.#candidates = candidates;
    this.#places = places;
    this.#owners = owners;
    this.#shift = 32 - bits;
    this.#index = indexOf(places, bits);
  }

  pick(request: PickRequest<C>): C | undefined {
    let nearest = Infinity;
    let found: C | undefined;
    let seed = request.hash | 0;
    for (let probe = 0; probe < probes; probe++) {
      seed = (seed + 0x9e3779b9) | 0;
      const place = mix(seed);
      const at = this.#behind(place);
      const distance = ((this.#places[at] ?? 0) - place) >>> 0;
      if (distance >= nearest) continue;
      const owner = this.#candidates[this.#owners[at] ?? 0];
      if (owner === undefined || !request.accepts(owner)) continue;
      nearest = distance;
      found = owner;
    }
    return found ?? (this.#rendezvous ??= new Rendezvous(this.#candidates)).pick(request);
  }

  /** The first point at or behind a place, round the ring. */
  #behind(place: number): number {
    const places = this.#places;
    let at = this.#index[place >>> this.#shift] ?? 0;
    while (at < places.length && (places[at] ?? 0) < place) at++;
    return at === places.length ? 0 : at;
  }
}

function indexOf(places: Uint32Array, bits: number): Uint32Array {
  const index = new Uint32Array(2 ** bits);
  let at = 0;
  for (let bucket = 0; bucket < index.length; bucket++) {
    while (at < places.length && (places[at] ?? 0) < bucket * 2 ** (32 - bits)) at++;
    index[bucket] = at;
  }
  return index;
}
