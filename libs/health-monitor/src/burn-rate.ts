import { count } from './range.ts';
import { alertRule, type AlertRule, type Judgement, type RuleOptions } from './rule.ts';
import type { Severity } from './severity.ts';
import type { TargetView } from './target-view.ts';

/** What is promised, and of what. */
export interface BurnRateOptions extends Pick<RuleOptions, 'keepFiringForMs'> {
  /** The part that must be good in 30 days, 0 to 1, both excluded: 0.999 leaves a budget of one in a thousand. */
  readonly objective: number;
  /** `errors` of calls and checks, or `downtime`. Default `errors`. */
  readonly of?: 'errors' | 'downtime';
  /** With `errors`: the fewest samples in the longer span for a verdict. Default 100. */
  readonly minimumCount?: number;
}

const minute = 60_000;
const hour = 60 * minute;

const tiers: readonly (readonly [factor: number, longMs: number, shortMs: number, severity: Severity])[] = [
  [14.4, hour, 5 * minute, 'page'],
  [6, 6 * hour, 30 * minute, 'page'],
  [1, 72 * hour, 6 * hour, 'warning'],
];

/**
 * Alerts on how fast an error budget burns, as the Site Reliability Workbook (Google, 2018, chapter 5) has it: 14.4 times over 1 h and 5 min or
 * 6 times over 6 h and 30 min is a page, once over 3 days and 6 h a warning. Both spans must agree; the short one ends the alert.
 *
 * @throws RangeError naming the option and its value.
 */
export function burnRateRules(options: BurnRateOptions): AlertRule[] {
  const { objective, of: what = 'errors', minimumCount = 100, ...rest } = options;
  if (!(objective > 0 && objective < 1)) {
    throw new RangeError(`healthMonitor: objective must be a ratio between 0 and 1, got ${objective}`);
  }
  count('minimumCount', minimumCount);
  const burn = (target: TargetView, spanMs: number): number | undefined => {
    const { errorRate, availability } = target.over(spanMs);
    const bad = what === 'errors' ? errorRate : availability === undefined ? undefined : 1 - availability;
    return bad === undefined ? undefined : bad / (1 - objective);
  };
  return tiers.map(([factor, longMs, shortMs, severity]) => {
    const judge = (target: TargetView): Judgement => {
      const short = burn(target, shortMs);
      const long = burn(target, longMs);
      if (short === undefined || long === undefined) return { verdict: 'hold' };
      if (short < factor) return { verdict: 'clear', value: long };
      const few = what === 'errors' && target.over(longMs).count < minimumCount;
      if (long < factor || few) return { verdict: 'hold', value: long };
      const summary = `${target.id} burns its error budget ${long.toFixed(1)} times as fast as it may`;
      return { verdict: 'raise', value: long, summary };
    };
    return alertRule({ ...rest, name: `burn-rate-${factor}`, severity, judge });
  });
}
