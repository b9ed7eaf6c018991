import { delay, ratio } from './range.ts';
import type { AlertRule } from './rule.ts';
import { thresholdRule } from './threshold-rule.ts';

/** The three limits that most services need. One that is left out raises no alert. */
export interface AlertThresholds {
  /** Highest 95th percentile of the answers of the last five minutes, in milliseconds. `warning`; over at 90 % of it. */
  readonly responseTime?: number;
  /** Highest part of checks and calls that failed in the last five minutes, 0 to 1. `critical`; over at 80 % of it. */
  readonly errorRate?: number;
  /** Lowest part of the known time of the last five minutes that the target was up, 0 to 1. `critical`; over at a fifth of the way to 1. */
  readonly availability?: number;
}

/** Below so many samples a percentile or a rate says little. */
const fewest = 3;

/**
 * The rules of {@link AlertThresholds}.
 *
 * @throws RangeError naming the option and its value.
 */
export function alertThresholds(thresholds: AlertThresholds): AlertRule[] {
  const { responseTime, errorRate, availability } = thresholds;
  return [
    ...(responseTime === undefined ? [] : [responseTimeRule(delay('responseTime', responseTime))]),
    ...(errorRate === undefined ? [] : [errorRateRule(ratio('errorRate', errorRate))]),
    ...(availability === undefined ? [] : [availabilityRule(ratio('availability', availability))]),
  ];
}

const responseTimeRule = (limit: number): AlertRule =>
  thresholdRule({
    name: 'responseTime',
    value: (target) => {
      const { count, errors } = target.window('5m');
      return count - errors < fewest ? undefined : target.quantile('5m', 0.95);
    },
    format: (ms) => `${Math.round(ms)} ms`,
    above: limit,
    clear: limit * 0.9,
  });

const errorRateRule = (limit: number): AlertRule =>
  thresholdRule({
    name: 'errorRate',
    severity: 'critical',
    value: (target) => {
      const { count, errorRate } = target.window('5m');
      return count < fewest ? undefined : errorRate;
    },
    format: percent,
    above: limit,
    clear: limit * 0.8,
  });

const availabilityRule = (limit: number): AlertRule =>
  thresholdRule({
    name: 'availability',
    severity: 'critical',
    value: (target) => target.window('5m').availability,
    format: percent,
    below: limit,
    clear: limit + (1 - limit) * 0.2,
  });

const percent = (value: number): string => `${(value * 100).toFixed(1)} %`;
