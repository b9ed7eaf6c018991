import type { Random } from '../time.ts';

/**
 * A repeatable source of numbers in [0, 1): SplitMix (Steele, Lea, Flood 2014) with 32 bits and the mixer of MurmurHash3. Not for secrets.
 *
 * @param seed an integer; another seed gives another sequence.
 */
export function seeded(seed: number): Random {
  let state = seed | 0;
  return () => {
    state = (state + 0x9e3779b9) | 0;
    let mixed = state;
    mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85ebca6b);
    mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
    return ((mixed ^ (mixed >>> 16)) >>> 0) / 2 ** 32;
  };
}
