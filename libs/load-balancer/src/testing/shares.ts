import { expect } from '@jest/globals';

/** Fails where chance would in one run of a million (Wilson-Hilferty bound of chi-square); shares of 0 must be hit never. */
export function expectShares(found: readonly number[], shares: readonly number[]): void {
  const picks = found.reduce((sum, count) => sum + count, 0);
  const total = shares.reduce((sum, share) => sum + share, 0);
  let statistic = 0;
  found.forEach((count, at) => {
    const expected = ((shares[at] ?? NaN) / total) * picks;
    if (expected === 0) expect(count).toBe(0);
    else statistic += (count - expected) ** 2 / expected;
  });
  const freedom = shares.filter((share) => share > 0).length - 1;
  const bound = freedom * (1 - 2 / (9 * freedom) + 4.75 * Math.sqrt(2 / (9 * freedom))) ** 3;
  expect(statistic).toBeLessThan(bound);
}
