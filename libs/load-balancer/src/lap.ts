/** A lap is this long at most, or this many turns for each weight: it bounds memory and the longest walk. */
const longestLap = 1024;
const longestLapEach = 8;

/**
 * The order of one lap of a weighted round-robin: each index as often as its weight says, spread evenly over the lap.
 * Exact when the weights are whole numbers whose sum, divided by their greatest common divisor, is at most 1024 or
 * 8 times their number; else the nearest shares that fit, at least one turn each. A weight of 0 gets no turn, all of
 * 0 get one each.
 */
export function lapOf(weights: readonly number[]): Uint32Array {
  const turns = turnsOf(weights);
  const length = turns.reduce((sum, count) => sum + count, 0);
  const places = turns.flatMap((count, index) =>
    Array.from({ length: count }, (_, turn) => {
      const phase = (index + 0.5) / turns.length;
      return { index, place: Math.floor(((turn + phase) / count) * length) };
    }),
  );
  return Uint32Array.from(sortByPlace(places, length));
}

function turnsOf(weights: readonly number[]): readonly number[] {
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  if (total === 0) return weights.map(() => 1);
  const longest = Math.max(longestLap, weights.length * longestLapEach);
  const unit = weights.every(Number.isInteger) ? weights.reduce(greatestCommonDivisor, 0) : 0;
  if (unit > 0 && total / unit <= longest) return weights.map((weight) => weight / unit);
  return weights.map((weight) => (weight === 0 ? 0 : Math.max(1, Math.round((weight / total) * longest))));
}

function greatestCommonDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestCommonDivisor(b, a % b);
}

/** Counting sort, stable: O(length), where the comparing kind took milliseconds for thousands of turns. */
function sortByPlace(turns: readonly { index: number; place: number }[], length: number): number[] {
  const buckets: number[][] = Array.from({ length }, () => []);
  for (const { index, place } of turns) buckets[place]?.push(index);
  return buckets.flat();
}
