import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { FlapMeter } from './flap.ts';

function naive(all: readonly string[]): number {
  const last = all.slice(-21);
  if (last.length < 21) return 0;
  let sum = 0;
  for (let change = 1; change <= 20; change++) {
    if (last[change] !== last[change - 1]) sum += 0.75 + (0.5 * (change - 1)) / 19;
  }
  return sum / 20;
}

test('is the weighted share of changes among the last 21 results', () => {
  fc.assert(
    fc.property(fc.array(fc.constantFrom('up', 'degraded', 'down'), { maxLength: 80 }), (all) => {
      const meter = new FlapMeter();
      for (const state of all) meter.push(state);
      expect(meter.ratio).toBeCloseTo(naive(all), 10);
    }),
  );
});

test('a state that changes with every result is all restless', () => {
  const meter = new FlapMeter();
  for (let index = 0; index < 40; index++) meter.push(index % 2 ? 'up' : 'down');
  expect(meter.ratio).toBeCloseTo(1, 10);
});
