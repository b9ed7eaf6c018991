import type { Random } from './random.ts';

/** Two different numbers below `count`, at random; the same one twice when there is no other. */
export function twoChoices(random: Random, count: number): [number, number] {
  const first = Math.floor(random() * count);
  if (count === 1) return [first, first];
  const second = Math.floor(random() * (count - 1));
  return [first, second >= first ? second + 1 : second];
}
