import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { CheckStatus } from './check.ts';
import { afterResult, isWavering, unknown, type Standing } from './standing.ts';

const worth = { down: 0, degraded: 1, up: 2 } as const;
const names = ['down', 'degraded', 'up'] as const;

/** Looks at the whole history again for every result. */
function naive(results: readonly CheckStatus[], rise: number, fall: number): CheckStatus | 'unknown' {
  let status: CheckStatus | 'unknown' = 'unknown';
  for (let end = 1; end <= results.length; end++) {
    if (status === 'unknown') {
      status = results[end - 1]!;
      continue;
    }
    const here: number = worth[status];
    const lastFall = results.slice(Math.max(0, end - fall), end).map((one) => worth[one]);
    const lastRise = results.slice(Math.max(0, end - rise), end).map((one) => worth[one]);
    if (lastFall.length === fall && Math.max(...lastFall) < here) status = names[Math.max(...lastFall)]!;
    else if (lastRise.length === rise && Math.min(...lastRise) > here) status = names[Math.min(...lastRise)]!;
  }
  return status;
}

const results = fc.array(fc.constantFrom<CheckStatus>('up', 'degraded', 'down'), { maxLength: 60 });
const run = (all: readonly CheckStatus[], rise: number, fall: number): Standing =>
  all.reduce<Standing>(
    (standing, status, at) => afterResult(standing, { status }, at + 1, { rise, fall }),
    unknown(0),
  );

test('stands where a look at the whole history would put it', () => {
  fc.assert(
    fc.property(
      results,
      fc.integer({ min: 1, max: 5 }),
      fc.integer({ min: 1, max: 5 }),
      (all, rise, fall) => {
        expect(run(all, rise, fall).status).toBe(naive(all, rise, fall));
      },
    ),
    { numRuns: 500 },
  );
});

test('since is the time of the last change', () => {
  fc.assert(
    fc.property(
      results,
      fc.integer({ min: 1, max: 4 }),
      fc.integer({ min: 1, max: 4 }),
      (all, rise, fall) => {
        const statuses = ['unknown', ...all.map((_, index) => naive(all.slice(0, index + 1), rise, fall))];
        let changed = 0;
        statuses.forEach((status, index) => {
          if (index > 0 && status !== statuses[index - 1]) changed = index;
        });
        expect(run(all, rise, fall).since).toBe(changed);
      },
    ),
  );
});

test('the first result counts at once, an immediate failure too', () => {
  const tolerance = { rise: 2, fall: 3 };
  const down = afterResult(unknown(0), { status: 'down', message: 'refused' }, 5, tolerance);
  expect(down).toMatchObject({ status: 'down', since: 5, message: 'refused' });
  const up = afterResult(unknown(0), { status: 'up' }, 5, tolerance);
  expect(afterResult(up, { status: 'down', immediate: true }, 9, tolerance)).toMatchObject({
    status: 'down',
    since: 9,
  });
});

test('wavers exactly while the last result differs from the status', () => {
  fc.assert(
    fc.property(results, (all) => {
      const standing = run(all, 2, 3);
      expect(isWavering(standing)).toBe(all.length > 0 && all.at(-1) !== standing.status);
    }),
  );
});
