/** Bound once: in a test's context each look-up of a global is slow. */
const { log, imul } = Math;

/** A source of numbers from 0 (included) to 1 (excluded) that repeats itself for the same seed. */
export type Random = () => number;

/** xorshift128 (Marsaglia 2003), its state spread from one number by the finaliser of MurmurHash3. */
export function seededRandom(seed: number): Random {
  let [x, y, z, w] = [spread(seed + 1), spread(seed + 2), spread(seed + 3), spread(seed + 4) | 1];
  return () => {
    const t = x ^ (x << 11);
    x = y;
    y = z;
    z = w;
    w = w ^ (w >>> 19) ^ t ^ (t >>> 8);
    return (w >>> 0) / 4_294_967_296;
  };
}

function spread(seed: number): number {
  let bits = imul(seed, 0x9e3779b1);
  bits = imul(bits ^ (bits >>> 16), 0x85ebca6b);
  bits = imul(bits ^ (bits >>> 13), 0xc2b2ae35);
  return bits ^ (bits >>> 16);
}

/** Time to the next arrival of a Poisson stream. */
export function exponential(random: Random, mean: number): number {
  return -mean * log(1 - random());
}

/** Erlang-4: four stages of work in a row. Coefficient of variation 0.5, as of a request with several steps. */
export function erlang4(random: Random, mean: number): number {
  const stages = (1 - random()) * (1 - random()) * (1 - random()) * (1 - random());
  return -(mean / 4) * log(stages);
}
