import { expect, test } from '@jest/globals';
import { AnomalyDetector } from './anomaly.ts';
import { distanceFromPeers } from './peers.ts';
import { score } from './testing/detection-score.ts';
import { labelledSeries, type AnomalyKind } from './testing/labelled-series.ts';

const total = (kind: AnomalyKind, seeds: readonly number[]) => {
  const scores = seeds.map((seed) => score(labelledSeries(kind, seed)));
  const sum = (field: 'labels' | 'found' | 'alarms' | 'falseAlarms') =>
    scores.reduce((all, one) => all + one[field], 0);
  return { recall: sum('found') / sum('labels'), precision: 1 - sum('falseAlarms') / sum('alarms') };
};

test.each(['spike', 'shift', 'drift', 'season', 'variance'] as const)(
  'finds every kind of anomaly: %s',
  (kind) => {
    const { recall, precision } = total(kind, [11, 12]);
    expect(recall).toBeGreaterThanOrEqual(0.9);
    expect(precision).toBeGreaterThanOrEqual(0.9);
  },
);

test('a calm month with its days and weekends has at most one alarm', () => {
  expect(score(labelledSeries('calm', 11)).alarms).toBeLessThanOrEqual(1);
});

test('a constant series has no anomalies of nothing, and one value too many is not yet one', () => {
  const detector = new AnomalyDetector({ minimumScale: 0.05 });
  for (let index = 0; index < 2000; index++) {
    detector.push(index === 1500 ? 100 : 1, index * 10_000);
    expect(detector.view.active).toBe(false);
  }
  detector.push(NaN, 2e7);
  expect(detector.view.expected).toBeCloseTo(1, 1);
});

test('a new normal is believed after some hours', () => {
  const detector = new AnomalyDetector({ minimumScale: 0.05 });
  let alarms = 0;
  let step = 0;
  const push = (value: number) => {
    const before = detector.view.active;
    detector.push(value + Math.sin(step * 12.9898) * 0.05, step++ * 10_000);
    if (detector.view.active && !before) alarms++;
  };
  for (let index = 0; index < 500; index++) push(1);
  for (let index = 0; index < 30_000; index++) push(2);
  expect(alarms).toBeGreaterThanOrEqual(1);
  expect(detector.view.active).toBe(false);
});

test('memory is fixed', () => {
  expect(new AnomalyDetector().bytes).toBeLessThan(4096);
});

test('distance from peers is in units of their scatter, and needs three of them', () => {
  expect(distanceFromPeers(20, [10, 11, 12], 0.1)).toBeCloseTo(9 / 1.4826, 5);
  expect(distanceFromPeers(20, [10, 10, 10], 0.5)).toBe(20);
  expect(distanceFromPeers(20, [10, 11], 0.1)).toBeUndefined();
});
