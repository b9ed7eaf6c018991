/** Slope of the line through equally spaced values (Theil-Sen: the median of the slopes of all pairs, so that one odd sample counts little). */
export function slopeOf(values: readonly number[]): number {
  const slopes = values.flatMap((from, at) =>
    values.slice(at + 1).map((to, further) => (to - from) / (further + 1)),
  );
  return slopes.sort((a, b) => a - b)[Math.floor(slopes.length / 2)] ?? 0;
}
