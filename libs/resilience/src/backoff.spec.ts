import { describe, expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import { backoff, type BackoffOptions } from './backoff.ts';

const half = (): number => 0.5;
const first = (options: BackoffOptions, count: number, random = half): number[] => {
  const delays = backoff(options)(random);
  return Array.from({ length: count }, (_, index) => delays(index + 1));
};

describe('backoff', () => {
  test.each<[BackoffOptions, number[]]>([
    [{ growth: 'constant' }, [100, 100, 100, 100]],
    [{ growth: 'linear', baseMs: 50 }, [50, 100, 150, 200]],
    [{}, [100, 200, 400, 800]],
    [{ factor: 3, maxMs: 1000 }, [100, 300, 900, 1000]],
    [{ baseMs: 0 }, [0, 0, 0, 0]],
  ])('%j grows as %j before jitter', (options, delays) => {
    expect(first({ ...options, jitter: 'none' }, 4)).toEqual(delays);
  });

  test('full jitter takes from 0 to the delay, equal jitter from its half', () => {
    expect(first({ jitter: 'full' }, 2, () => 0)).toEqual([0, 0]);
    expect(first({ jitter: 'full' }, 2)).toEqual([50, 100]);
    expect(first({ jitter: 'equal' }, 2, () => 0)).toEqual([50, 100]);
    expect(first({ jitter: 'equal' }, 2)).toEqual([75, 150]);
  });

  test('decorrelated jitter follows the published formula, with state of its own for each call', () => {
    const curve = (time: number): number => 2 ** time * Math.tanh(Math.sqrt(4 * time));
    const expected = [curve(0.5), curve(1.5) - curve(0.5), curve(2.5) - curve(1.5)].map(
      (step) => (step * 100) / 1.4,
    );
    const start = backoff({ jitter: 'decorrelated' });
    const [one, two] = [start(half), start(half)];
    for (const [index, delay] of expected.entries()) {
      expect(one(index + 1)).toBeCloseTo(delay, 9);
      expect(two(index + 1)).toBeCloseTo(delay, 9);
    }
  });

  // Polly#2163, cockatiel#86: NaN, negative or overflowing delays after many attempts.
  test('5000 attempts never give a delay that is NaN, negative or over the cap', () => {
    const options = fc.record({
      growth: fc.constantFrom('constant' as const, 'linear' as const, 'exponential' as const),
      baseMs: fc.double({ min: 0, max: 2 ** 31 - 1, noNaN: true }),
      factor: fc.double({ min: 1, max: 1e9, noNaN: true }),
      maxMs: fc.double({ min: 0, max: 2 ** 31 - 1, noNaN: true }),
      jitter: fc.constantFrom('none' as const, 'full' as const, 'equal' as const, 'decorrelated' as const),
    });
    fc.assert(
      fc.property(
        options,
        fc.infiniteStream(fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true })),
        (any, chances) => {
          const { maxMs, jitter } = any;
          const delays = backoff(
            jitter === 'decorrelated' ? { ...any, growth: 'exponential', factor: 2 } : any,
          )(() => chances.next().value as number);
          for (let retry = 1; retry <= 5000; retry += retry < 1100 ? 1 : 397) {
            const delay = delays(retry);
            expect(delay >= 0 && delay <= maxMs).toBe(true);
          }
        },
      ),
      { numRuns: 40 },
    );
  });

  test('the middle of the delays grows until the cap, whatever the jitter', () => {
    for (const jitter of ['none', 'full', 'equal', 'decorrelated'] as const) {
      const delays = first({ jitter, maxMs: 1e6 }, 12);
      for (const [index, delay] of delays.entries()) expect(delay).toBeGreaterThan(delays[index - 1] ?? 0);
    }
  });

  test.each<[BackoffOptions, string]>([
    [{ baseMs: -1 }, 'backoff.baseMs must be a number from 0 to 2147483647, got -1'],
    [{ factor: 0.5 }, 'backoff.factor must be a number from 1 to 1.7976931348623157e+308, got 0.5'],
    [{ maxMs: NaN }, 'backoff.maxMs must be a number from 0 to 2147483647, got NaN'],
    [{ jitter: 'some' as never }, 'backoff.jitter must be one of none, full, equal, got some'],
    [
      { growth: 'toString' as never },
      'backoff.growth must be one of constant, linear, exponential, got toString',
    ],
    [
      { growth: 'linear', jitter: 'decorrelated' },
      'backoff.growth must be exponential with factor 2 for decorrelated jitter, got linear',
    ],
  ])('refuses %j', (options, message) => {
    expect(() => backoff(options)).toThrow(new RangeError(`retry: ${message}`));
  });
});
