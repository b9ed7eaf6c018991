import { AnomalyDetector } from '../anomaly.ts';
import type { LabelledSeries } from './labelled-series.ts';

/** How alarms and labels met. */
export interface DetectionScore {
  readonly labels: number;
  readonly found: number;
  readonly alarms: number;
  /** Alarms that overlap no label. */
  readonly falseAlarms: number;
  /** Values between the begin of an anomaly and its alarm, median. */
  readonly delay: number;
}

/** Alarms may end, or begin, so many values after the anomaly: 5 minutes. */
const tolerance = 30;

/** Runs a detector over a series, and compares what it says with what is known. */
export function score({ values, stepMs, startAt, labels }: LabelledSeries): DetectionScore {
  const detector = new AnomalyDetector();
  const alarms: [number, number][] = [];
  let active = false;
  values.forEach((value, index) => {
    detector.push(value, startAt + index * stepMs);
    const last = alarms.at(-1);
    if (detector.view.active && !active) alarms.push([index, index]);
    else if (detector.view.active && last) last[1] = index;
    active = detector.view.active;
  });
  const meets = ([from, to]: readonly [number, number], [begin, end]: readonly [number, number]): boolean =>
    from <= end + tolerance && to >= begin;
  const found = labels.filter((label) => alarms.some((alarm) => meets(alarm, label)));
  const delays = found.map((label) => {
    const alarm = alarms.find((one) => meets(one, label)) ?? label;
    return Math.max(0, alarm[0] - label[0]);
  });
  return {
    labels: labels.length,
    found: found.length,
    alarms: alarms.length,
    falseAlarms: alarms.filter((alarm) => !labels.some((label) => meets(alarm, label))).length,
    delay: delays.sort((a, b) => a - b)[Math.floor(delays.length / 2)] ?? NaN,
  };
}
