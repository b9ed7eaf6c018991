import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { LatencySketch, quantileOf } from './latency-sketch.ts';

const exact = (values: readonly number[], ratio: number): number =>
  [...values].sort((a, b) => a - b)[Math.floor(ratio * (values.length - 1))]!;

const latencies = fc.array(fc.double({ min: 0.001, max: 1e9, noNaN: true }), {
  minLength: 1,
  maxLength: 150,
});
const ratios = fc.constantFrom(0, 0.1, 0.5, 0.9, 0.95, 0.99, 1);

const sketchOf = (values: readonly number[], bins?: number): LatencySketch => {
  const sketch = new LatencySketch(bins);
  for (const value of values) sketch.add(value);
  return sketch;
};

function expectWithin(found: number | undefined, truth: number): void {
  expect(Math.abs(found! - truth) / truth).toBeLessThanOrEqual(0.01 + 1e-9);
}

test('every quantile is within 1 % of the true one', () => {
  fc.assert(
    fc.property(latencies, ratios, (values, ratio) => {
      expectWithin(sketchOf(values).quantile(ratio), exact(values, ratio));
    }),
    { numRuns: 500 },
  );
});

test('merged sketches are the sketch of all samples', () => {
  fc.assert(
    fc.property(fc.array(latencies, { minLength: 1, maxLength: 4 }), ratios, (parts, ratio) => {
      const all = parts.flat();
      const merged = new LatencySketch(1000);
      for (const part of parts) merged.merge(sketchOf(part));
      expect(merged.count).toBe(all.length);
      expectWithin(merged.quantile(ratio), exact(all, ratio));
      expect(
        quantileOf(
          parts.map((part) => sketchOf(part)),
          ratio,
        ),
      ).toBe(merged.quantile(ratio));
    }),
  );
});

test('with too few bins the upper quantiles stay right and memory stays fixed', () => {
  const values = Array.from({ length: 5000 }, (_, index) => 1.004 ** index);
  const sketch = sketchOf(values, 40);
  expectWithin(sketch.quantile(0.99), exact(values, 0.99));
  expect(sketch.bytes).toBe(160);
});

test('a million samples of one kind keep the proportions', () => {
  const sketch = new LatencySketch();
  for (let index = 0; index < 1_000_000; index++) sketch.add(index % 10 < 7 ? 10 : 100);
  expect(sketch.count).toBe(1_000_000);
  expectWithin(sketch.quantile(0.65), 10);
  expectWithin(sketch.quantile(0.75), 100);
});

test('says nothing without samples, and ignores what is not a number', () => {
  const sketch = sketchOf([NaN]);
  expect(sketch.count).toBe(0);
  expect(sketch.quantile(0.5)).toBeUndefined();
  sketch.add(5);
  sketch.clear();
  expect(sketch.quantile(0.5)).toBeUndefined();
  expect(() => new LatencySketch(1)).toThrow(
    new RangeError('healthMonitor: maximumBins must be an integer >= 2, got 1'),
  );
});
