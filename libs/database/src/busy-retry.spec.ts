import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { busyRetry, isBusy } from './busy-retry.ts';
import { isDatabaseBusyError } from './errors.ts';

function sqliteError(errcode: number): Error {
  return Object.assign(new Error('database is locked'), { code: 'ERR_SQLITE_ERROR', errcode });
}

function retryIn(totalMs: number, random: () => number = () => 0.5) {
  const clock = { ms: 0, now: () => clock.ms };
  const delays: number[] = [];
  const sleep = (ms: number) => {
    delays.push(ms);
    clock.ms += ms;
    return Promise.resolve();
  };
  return { delays, clock, retry: busyRetry({ totalMs: () => totalMs, clock, random, sleep }) };
}

/** Fails with `errcode` so many times, then answers. */
function lockedFor(times: number, errcode = 5) {
  let calls = 0;
  return () => {
    calls += 1;
    if (calls <= times) throw sqliteError(errcode);
    return calls;
  };
}

describe('busyRetry', () => {
  test('answers at once when there is no lock', async () => {
    const { delays, retry } = retryIn(1000);
    expect(await retry(() => 'row')).toBe('row');
    expect(delays).toEqual([]);
  });

  test('waits longer each time, up to a bound', async () => {
    const { delays, retry } = retryIn(10_000, () => 1);
    expect(await retry(lockedFor(8))).toBe(9);
    expect(delays).toEqual([4, 8, 16, 32, 64, 100, 100, 100]);
  });

  test('gives up in time, with the cause', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 0, max: 2000 }),
        fc.double({ min: 0.01, max: 0.99, noNaN: true }),
        async (totalMs, factor) => {
          const { clock, retry } = retryIn(totalMs, () => factor);
          const failure: unknown = await retry(lockedFor(Infinity)).catch((error: unknown) => error);
          expect(isDatabaseBusyError(failure)).toBe(true);
          expect(failure).toHaveProperty('cause.errcode', 5);
          expect(clock.ms).toBeGreaterThanOrEqual(totalMs);
          expect(clock.ms).toBeLessThanOrEqual(totalMs + 100);
        },
      ),
    );
  });

  test('another fault is not waited for', async () => {
    const { delays, retry } = retryIn(1000);
    await expect(retry(lockedFor(1, 2067))).rejects.toMatchObject({ errcode: 2067 });
    expect(delays).toEqual([]);
  });
});

test.each([
  [5, true],
  [261, true],
  [773, true],
  [517, false],
  [6, false],
  [2067, false],
])('result code %i is a lock that may go away: %p', (errcode, busy) => {
  expect(isBusy(sqliteError(errcode))).toBe(busy);
  expect(isBusy({ errcode })).toBe(false);
  expect(isBusy(undefined)).toBe(false);
});
