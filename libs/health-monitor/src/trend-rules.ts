import type { Outcomes } from './outcome-series.ts';
import { distanceFromPeers } from './peers.ts';
import { duration, finite } from './range.ts';
import { alertRule, type AlertRule, type Judgement, type RuleOptions } from './rule.ts';
import { spanOf } from './notice.ts';
import type { TargetView } from './target-view.ts';
import { thresholdRule } from './threshold-rule.ts';
import { reaches, trendOf, type Point } from './trend.ts';

/** What of a slot of the history is looked at. */
export type TrendMetric = 'meanMs' | 'errorRate' | 'availability' | 'throughput';

/** Which metric runs towards which limit. */
export type ForecastOptions = RuleOptions & {
  readonly metric: TrendMetric;
  readonly limit: number;
  /** Warn when the limit is so near, in milliseconds. Default 14 400 000 (4 h). */
  readonly withinMs?: number;
  /** Slots to look at: five minutes each (`1h`), hours (`24h`) or days (`30d`). Default `24h`. */
  readonly window?: '1h' | '24h' | '30d';
};

/**
 * Fires when a metric has a trend (Mann-Kendall, p < 0.05) which takes it to a limit soon (Theil-Sen). Severity `warning`.
 *
 * @throws RangeError naming the option and its value.
 */
export function forecastRule(options: ForecastOptions): AlertRule {
  const { metric, limit, withinMs = 14_400_000, window = '24h' } = options;
  finite('limit', limit);
  duration('withinMs', withinMs);
  const judge = (target: TargetView): Judgement => {
    const slots = target.history(window);
    const now = slots.at(-1)?.to ?? 0;
    const trend = trendOf(slots.slice(0, -1).flatMap((slot) => pointOf(slot, metric)));
    if (trend === undefined) return { verdict: 'hold' };
    const dueMs = reaches(trend, limit, now);
    if (dueMs === undefined || dueMs > withinMs) return { verdict: 'clear' };
    const summary = `${metric} of ${target.id} reaches ${limit} in ${spanOf(dueMs)}`;
    return { verdict: 'raise', value: trend.slopePerHour, summary };
  };
  return alertRule({ name: `forecast-${metric}`, ...options, judge });
}

/** Fires while the response times of a target are unusual: at least two detectors say so (`AnomalyDetector`). Severity `warning`. */
export const anomalyRule = (options: RuleOptions = {}): AlertRule =>
  alertRule({
    name: 'anomaly',
    ...options,
    judge: ({ id, anomaly: { active, detectors, score } }) => {
      if (!active) return { verdict: 'clear' };
      const summary = `response times of ${id} are unusual (${detectors.join(', ')})`;
      return { verdict: 'raise', value: score, summary };
    },
  });

/**
 * Fires while a target is slower than the others of its service by so many times their scatter, and its own history finds it unusual too or it
 * takes twice their time: two views must agree. It needs three others. Severity `warning`.
 */
export const slowerThanPeersRule = ({
  above = 5,
  ...options
}: RuleOptions & { readonly above?: number } = {}): AlertRule =>
  thresholdRule({
    name: 'slower-than-peers',
    ...options,
    value: distance,
    format: (times) => `${times.toFixed(1)} times their scatter`,
    above,
    clear: above * 0.6,
  });

/** In logarithms, so that it is about proportions; at most as far as the second view confirms. */
function distance(target: TargetView): number | undefined {
  const own = target.quantile('5m', 0.5);
  const peers = target.siblings.flatMap((peer) => peer.quantile('5m', 0.5) ?? []);
  if (own === undefined) return undefined;
  const far = distanceFromPeers(Math.log(own), peers.map(Math.log), 0.05);
  if (far === undefined) return undefined;
  const confirmed = target.anomaly.active || peers.filter((peer) => own > 2 * peer).length > peers.length / 2;
  return confirmed ? far : Math.min(far, 0);
}

function pointOf(slot: Outcomes, metric: TrendMetric): Point[] {
  const value = slot[metric];
  return value === undefined || slot.to <= slot.from ? [] : [{ at: (slot.from + slot.to) / 2, value }];
}
