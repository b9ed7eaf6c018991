import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { Protection } from './protection.ts';

const leaseMs = 15_000;
const loss = (late: number, total: number) => ({ late, total, leaseMs });

test('begins with two and over 15 %, ends under 10 %', () => {
  const protection = new Protection();
  expect(protection.protects(loss(1, 1), 0, true)).toBe(false);
  expect(protection.protects(loss(3, 20), 0, true)).toBe(false);
  expect(protection.protects(loss(4, 20), 0, true)).toBe(true);
  expect(protection.protects(loss(2, 20), 1, true)).toBe(true);
  expect(protection.protects(loss(1, 20), 2, true)).toBe(false);
  expect(protection.isActive).toBe(false);
});

test('lets 15 % go in each interval after its time is over', () => {
  const protection = new Protection({ maximumMs: 60_000 });
  expect(protection.protects(loss(20, 40), 0, true)).toBe(true);
  const gone = (atMs: number) =>
    Array.from({ length: 20 }, () => protection.protects(loss(20, 40), atMs, true)).filter((kept) => !kept);
  expect(gone(59_999)).toHaveLength(0);
  expect(gone(60_000)).toHaveLength(6);
  expect(gone(69_999)).toHaveLength(0);
  expect(gone(70_000)).toHaveLength(6);
  expect(protection.protects(loss(20, 40), 80_000, false)).toBe(true);
});

test('whatever happens, it never protects for ever and never removes more than its share at once', () => {
  const step = fc.record({
    late: fc.integer({ min: 0, max: 100 }),
    afterMs: fc.integer({ min: 1, max: 5000 }),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      const protection = new Protection({ maximumMs: 20_000 });
      let [nowMs, sinceMs] = [0, undefined as number | undefined];
      const removals: number[] = [];
      for (const { late, afterMs } of steps) {
        nowMs += afterMs;
        const isKept = protection.protects(loss(late, 100), nowMs, true);
        const isActive: boolean = sinceMs === undefined ? late >= 2 && late > 15 : late >= 10;
        sinceMs = isActive ? (sinceMs ?? nowMs) : undefined;
        expect(protection.isActive).toBe(isActive);
        if (!isActive) expect(isKept).toBe(false);
        else if (nowMs - (sinceMs ?? 0) < 20_000) expect(isKept).toBe(true);
        else if (!isKept) removals.push(nowMs);
        const recent = removals.filter((at) => at > nowMs - 10_000);
        // Two intervals may touch within the last ten seconds.
        expect(recent.length).toBeLessThanOrEqual(30);
      }
    }),
    { numRuns: 100 },
  );
});

test.each([
  [{ lossRatio: 0 }, 'protection: lossRatio must be above 0 and at most 1, got 0'],
  [{ lossRatio: 1.5 }, 'protection: lossRatio must be above 0 and at most 1, got 1.5'],
  [{ maximumMs: -1 }, 'protection: maximumMs must be an integer from 0 to 2147483648, got -1'],
])('%j is a RangeError', (options, message) => {
  expect(() => new Protection(options)).toThrow(new RangeError(message));
});
