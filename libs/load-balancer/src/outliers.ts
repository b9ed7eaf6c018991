import type { Conduct } from './conduct.ts';
import type { EjectionRules } from './ejection.ts';

/** Those that stand out from their peers by success, by failures or by response time. */
export function outliersOf(all: readonly Conduct[], rules: EjectionRules): readonly Conduct[] {
  return [...bySuccessRate(all, rules), ...byFailures(all, rules), ...byLatency(all, rules)];
}

function bySuccessRate(all: readonly Conduct[], rules: EjectionRules): readonly Conduct[] {
  const rated = all.filter(({ answers }) => answers > 0 && answers >= rules.successRateMinAnswers);
  if (rules.successRateStdevs === 0 || rated.length < rules.minEndpoints) return [];
  const mean = meanOf(rated.map(({ successRatio }) => successRatio));
  const stdev = Math.sqrt(meanOf(rated.map(({ successRatio }) => (successRatio - mean) ** 2)));
  return rated.filter(({ successRatio }) => successRatio < mean - rules.successRateStdevs * stdev);
}

function byFailures(all: readonly Conduct[], rules: EjectionRules): readonly Conduct[] {
  const rated = all.filter(({ answers }) => answers > 0 && answers >= rules.failureMinAnswers);
  if (rules.failureRatio === 0 || rated.length < rules.minEndpoints) return [];
  return rated.filter(({ successRatio }) => 1 - successRatio >= rules.failureRatio);
}

/** Like is compared with like: 95th percentiles, since those of everybody are above the average. */
function byLatency(all: readonly Conduct[], rules: EjectionRules): readonly Conduct[] {
  const rated = all.filter(({ answers, p95Ms }) => p95Ms !== undefined && answers >= rules.latencyMinAnswers);
  if (rules.latencyFactor === 0 || rated.length < rules.minEndpoints) return [];
  const median = medianOf(rated.map(({ p95Ms = NaN }) => p95Ms));
  return rated.filter(({ p95Ms = NaN }) => p95Ms > rules.latencyFactor * median);
}

function meanOf(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

function medianOf(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 1] ?? NaN;
}
