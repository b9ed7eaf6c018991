import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { BackOff } from './back-off.ts';

test('0.25 s, doubled up to 10 s, as long as the crashes are far enough apart', () => {
  const backOff = new BackOff({ random: () => 0.5 });
  const delays = Array.from({ length: 8 }, (_, index) => backOff.crashed(index * 20_000));
  expect(delays).toEqual([250, 500, 1000, 2000, 4000, 8000, 10_000, 10_000]);
});

test('the fifth crash within 60 s is a crash loop', () => {
  const backOff = new BackOff();
  const answers = [0, 1000, 2000, 3000, 59_999].map((at) => backOff.crashed(at) !== undefined);
  expect(answers).toEqual([true, true, true, true, false]);
});

test('30 s of health forget what was before', () => {
  const backOff = new BackOff({ random: () => 0.5 });
  for (const at of [0, 1, 2, 3]) backOff.crashed(at);
  expect(backOff.crashed(30_003, 30_000)).toBe(250);
  expect(backOff.crashed(60_002, 29_999)).toBe(500);
});

test('delays and crash loops are those of a naive model', () => {
  const crash = fc.record({
    gapMs: fc.nat(70_000),
    healthyRatio: fc.double({ min: 0, max: 1, noNaN: true }),
    random: fc.double({ min: 0, max: 1, noNaN: true }),
  });
  fc.assert(
    fc.property(fc.array(crash, { maxLength: 30 }), (crashes) => {
      let random = 0;
      const backOff = new BackOff({ random: () => random });
      let now = 0;
      let times: number[] = [];
      let exponent = 0;
      for (const { gapMs, healthyRatio, ...given } of crashes) {
        ({ random } = given);
        now += gapMs;
        const healthyMs = gapMs * healthyRatio;
        if (healthyMs >= 30_000) [times, exponent] = [[], 0];
        times.push(now);
        const recent = times.filter((at) => at > now - 60_000).length;
        const delayMs = backOff.crashed(now, healthyMs);
        if (recent >= 5) {
          expect(delayMs).toBeUndefined();
          continue;
        }
        const base = Math.min(250 * 2 ** exponent++, 10_000);
        expect(delayMs).toBeGreaterThanOrEqual(base * 0.8 - 1e-9);
        expect(delayMs).toBeLessThanOrEqual(Math.min(base * 1.2, 10_000) + 1e-9);
        expect(delayMs).toBeCloseTo(Math.min(base * (0.8 + 0.4 * random), 10_000), 6);
      }
    }),
  );
});

test.each([
  [{ initialMs: 0 }, 'initialMs must lie in 1..3600000, got 0'],
  [{ initialMs: 500, maximumMs: 100 }, 'maximumMs must lie in 500..3600000, got 100'],
  [{ factor: NaN }, 'factor must lie in 1..1000, got NaN'],
  [{ jitterRatio: 1.5 }, 'jitterRatio must lie in 0..1, got 1.5'],
  [{ crashLimit: 0 }, 'crashLimit must lie in 1..1000, got 0'],
])('%j is refused', (options, message) => {
  expect(() => new BackOff(options)).toThrow(new RangeError(`backOff: ${message}`));
});
