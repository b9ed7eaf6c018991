import type { Figures } from './measure.ts';

/** What is compared in each scenario: the less the better. */
const compared = ['errorRatio', 'regainMs', 'p99Ms', 'p999Ms'] as const;

/** Figures that differ by less than this factor are equal. */
const tie = 1.1;
/** Below these a figure is as good as nothing. */
const least = { errorRatio: 1e-5, regainMs: 500, p99Ms: 0.001, p999Ms: 0.001 };

/**
 * The sum over all scenarios and figures of each contender's place (1 is best, ties share the mean of their places).
 * `runs` has a row for each scenario with the figures of each contender, always in the same order.
 */
export function rankSums(runs: readonly (readonly Figures[])[]): readonly number[] {
  const sums = (runs[0] ?? []).map(() => 0);
  for (const row of runs) {
    for (const figure of compared) {
      const values = row.map((figures) => Math.max(least[figure], figures[figure]));
      placesOf(values).forEach((place, at) => {
        sums[at] = (sums[at] ?? 0) + place;
      });
    }
  }
  return sums;
}

function placesOf(values: readonly number[]): readonly number[] {
  return values.map((value) => {
    const better = values.filter((other) => other * tie < value).length;
    const equal = values.filter((other) => other * tie >= value && value * tie >= other).length;
    return better + (equal + 1) / 2;
  });
}
