import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { AliasTable } from './alias-table.ts';

const weights = fc.array(fc.oneof(fc.constant(0), fc.double({ min: 0, max: 1e6, noNaN: true })), {
  minLength: 1,
  maxLength: 50,
});

/** The share of each index, found by drawing at evenly spaced numbers within every slot. */
function shares(table: AliasTable, length: number, steps: number): number[] {
  const counts = Array.from({ length }, () => 0);
  for (let at = 0; at < length * steps; at++) {
    const drawn = table.draw((at + 0.5) / (length * steps));
    counts[drawn] = (counts[drawn] ?? NaN) + 1 / (length * steps);
  }
  return counts;
}

test('each index is drawn in proportion to its weight', () => {
  fc.assert(
    fc.property(weights, (given) => {
      const total = given.reduce((sum, weight) => sum + weight, 0);
      const steps = 400;
      const found = shares(new AliasTable(given), given.length, steps);
      given.forEach((weight, at) => {
        // One grid step of error in each of the slots that may hold a part of it.
        const expected = total > 0 ? weight / total : 1 / given.length;
        expect(Math.abs((found[at] ?? NaN) - expected)).toBeLessThanOrEqual(1 / steps);
      });
    }),
  );
});

test('a weight of 0 is never drawn beside one that is more', () => {
  fc.assert(
    fc.property(weights, fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), (given, random) => {
      const drawn = given[new AliasTable(given).draw(random)];
      return drawn !== undefined && (drawn > 0 || given.every((weight) => weight === 0));
    }),
    { numRuns: 1000 },
  );
});

test('fill replaces the weights', () => {
  const table = new AliasTable([1, 0]);
  table.fill([0, 1]);
  expect([0, 0.25, 0.5, 0.75, 0.999].map((random) => table.draw(random))).toEqual([1, 1, 1, 1, 1]);
});
