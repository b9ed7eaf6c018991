import { describe, expect, test } from '@jest/globals';
import { LoadBalancer } from './load-balancer.ts';
import type { Candidate, PolicyFactory } from './policy.ts';
import { seeded } from './testing/seeded.ts';
import { expectShares } from './testing/shares.ts';
import { twoChoices } from './two-choices.ts';

/** A balancer that goes by these loads alone, and the picks of it by endpoint. */
function picks(
  loads: readonly number[],
  count: number,
  { weights = loads.map(() => 1), warmUp = 0 } = {},
): number[] {
  const load = ({ id }: Candidate) => loads[Number(id)] ?? NaN;
  const strategy: PolicyFactory = ({ random }) => ({
    build: (candidates) => twoChoices(candidates, random, load),
  });
  const balancer = new LoadBalancer({ strategy, random: seeded(5) });
  balancer.update(loads.map((_, at) => ({ id: `${at}`, weight: weights[at] ?? 1 })));
  const found = loads.map(() => 0);
  for (let at = -warmUp; at < count; at++) {
    const id = Number(balancer.pick()?.endpoint.id);
    if (at >= 0) found[id] = (found[id] ?? NaN) + 1;
  }
  return found;
}

describe('twoChoices', () => {
  test('takes the less loaded of every pair: the worst of three never, the best whenever it is drawn', () => {
    expectShares(picks([1, 2, 3], 9000), [2, 1, 0]);
  });

  test('equal loads leave the shares to the weights', () => {
    expectShares(picks([1, 1, 1], 9000, { weights: [1, 2, 6] }), [1, 2, 6]);
  });

  test('two sick ones of three were every third pair: it looks further when both are far worse than usual', () => {
    const [good = 0, ...sick] = picks([1, 100, 200], 9000, { warmUp: 50 });
    expect(good / 9000).toBeGreaterThan(0.95);
    expect(Math.max(...sick)).toBeGreaterThan(0); // a look, not a ban
  });

  test('what is usual does not become bad, however long two of three are sick', () => {
    const [good = 0] = picks([1, 100, 200], 9000, { warmUp: 20_000 });
    expect(good / 9000).toBeGreaterThan(0.95);
  });

  test('when all have become heavy, that is usual after some picks: the shares are those of the pairs again', () => {
    expectShares(picks([1001, 1002, 1003], 9000, { warmUp: 2000 }), [2, 1, 0]);
  });

  test('a sick one that weighs most is not kept because it was drawn twice', () => {
    const [, heavy = NaN] = picks([1, 100], 9000, { weights: [1, 9], warmUp: 200 });
    expect(heavy / 9000).toBeLessThan(0.6);
  });

  test('loads of 0 and of Infinity do no harm', () => {
    expect(picks([0, 0, Infinity], 3000)[2]).toBe(0);
    expectShares(picks([Infinity, Infinity], 3000), [1, 1]);
    expect(picks([0, 5], 1000)[1]).toBe(0);
  });
});
