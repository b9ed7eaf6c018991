import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { SplitGuard, type BranchOutcome } from './split-guard.ts';

interface Noted {
  readonly branch: string;
  readonly outcome: BranchOutcome;
  readonly passMs: number;
}

const names = ['stable', 'canary', 'other'];
const noted: fc.Arbitrary<Noted> = fc.record({
  branch: fc.constantFrom(...names, 'unknown'),
  outcome: fc.constantFrom<BranchOutcome>('success', 'failure'),
  passMs: fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 3_000 })),
});
const rule = fc.record({
  marginRatio: fc.constantFrom(0, 0.1, 0.5, 1),
  minimumSamples: fc.integer({ min: 1, max: 5 }),
  windowMs: fc.constantFrom(1_000, 10_000),
});

test('a branch is rolled back once, exactly when it fails more than the first one by the margin', () => {
  fc.assert(
    fc.property(fc.array(noted, { maxLength: 60 }), rule, (all, given) => {
      let now = 0;
      const guard = new SplitGuard(names, given, { now: () => now });
      const history: (Noted & { slice: number })[] = [];
      const told = new Set<string>();
      for (const one of all) {
        now += one.passMs;
        const slice = Math.floor(now / (given.windowMs / 10));
        history.push({ ...one, slice });
        const ratioOf = (branch: string): { samples: number; ratio: number } => {
          const recent = history.filter((old) => old.branch === branch && old.slice > slice - 10);
          const failed = recent.filter(({ outcome }) => outcome === 'failure').length;
          return { samples: recent.length, ratio: recent.length === 0 ? 0 : failed / recent.length };
        };
        const { samples, ratio } = ratioOf(one.branch);
        const stable = ratioOf('stable').ratio;
        const isWatched = one.branch === 'canary' || one.branch === 'other';
        const isTooMuch = samples >= given.minimumSamples && ratio > stable + given.marginRatio;
        const rolledBack = guard.note(one.branch, one.outcome);
        if (isWatched && isTooMuch && !told.has(one.branch)) {
          told.add(one.branch);
          expect(rolledBack).toEqual({
            branch: one.branch,
            failureRatio: ratio,
            stableRatio: stable,
            samples,
          });
        } else {
          expect(rolledBack).toBeUndefined();
        }
      }
    }),
  );
});

test('what is older than the window is forgotten, and takes no memory', () => {
  let now = 0;
  const guard = new SplitGuard(
    ['a', 'b'],
    { marginRatio: 0, minimumSamples: 2, windowMs: 1_000 },
    { now: () => now },
  );
  expect(guard.note('b', 'failure')).toBeUndefined();
  now = 1_000;
  expect(guard.note('b', 'failure')).toBeUndefined();
  expect(guard.note('b', 'failure')).toMatchObject({ branch: 'b', samples: 2 });
});
