import { hashOf, mix } from './hash.ts';
import type { Candidate } from './policy.ts';

/** Room for an index beside a 32-bit hash in the 53 bits of a number. */
const indexes = 2 ** 20;

/** Positions of the candidates that weigh something, by the hash of their id: an order that does not depend on the list. */
export function hashOrder(candidates: readonly Candidate[]): Uint32Array {
  const keys = Float64Array.from(candidates, ({ id }, at) => hashOf(id) * indexes + at).sort();
  const positions = Uint32Array.from(keys, (key) => key % indexes);
  const weighty = positions.filter((at) => (candidates[at]?.weight ?? 0) > 0);
  return weighty.length > 0 ? weighty : positions;
}

/** Points on a ring of 2^32, sorted, each with its owner. `count` says how many points a candidate has. */
export function ringPoints(
  candidates: readonly Candidate[],
  count: (candidate: Candidate) => number,
): { readonly places: Uint32Array; readonly owners: Uint32Array } {
  const counts = candidates.map(count);
  const keys = new Float64Array(counts.reduce((sum, points) => sum + points, 0));
  let filled = 0;
  candidates.forEach(({ id }, owner) => {
    const hash = hashOf(id);
    for (let point = 0; point < (counts[owner] ?? 0); point++)
      keys[filled++] = mix(hash + Math.imul(point + 1, 0x9e3779b9)) * indexes + owner;
  });
  keys.sort();
  return {
    places: Uint32Array.from(keys, (key) => Math.floor(key / indexes)),
    owners: Uint32Array.from(keys, (key) => key % indexes),
  };
}
