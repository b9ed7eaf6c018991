/**
 * How far a value is from those of its peers, in units of their scatter (1.4826 times the median deviation, never less than `leastScale`):
 * the peers are what it should be like at this moment, whatever the hour. Undefined with fewer than three of them.
 */
export function distanceFromPeers(
  value: number,
  peers: readonly number[],
  leastScale: number,
): number | undefined {
  if (peers.length < 3) return undefined;
  const middle = medianOf(peers);
  const deviation = medianOf(peers.map((peer) => Math.abs(peer - middle)));
  return (value - middle) / Math.max(leastScale, 1.4826 * deviation);
}

function medianOf(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return ((sorted[(sorted.length - 1) >> 1] ?? NaN) + (sorted[sorted.length >> 1] ?? NaN)) / 2;
}
