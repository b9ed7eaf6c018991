import { alertRule, type AlertRule, type Judgement, type RuleOptions } from './rule.ts';
import type { TargetView } from './target-view.ts';
import { thresholdRule } from './threshold-rule.ts';

/** Fires while a target is down. Severity `critical`. */
export const downRule = (options: RuleOptions = {}): AlertRule =>
  alertRule({
    name: 'down',
    severity: 'critical',
    ...options,
    judge: (target) => judged(target, 'down', ['up', 'degraded']),
  });

/** Fires while a target is degraded; a target that is down leaves it as it was. Severity `warning`. */
export const degradedRule = (options: RuleOptions = {}): AlertRule =>
  alertRule({ name: 'degraded', ...options, judge: (target) => judged(target, 'degraded', ['up']) });

/**
 * Fires while a target changes its state all the time: from 30 % on, until it is below 20 % (Nagios' figures). As long as it does, nobody is told
 * of its other alerts. Severity `warning`.
 */
export const flappingRule = ({
  above = 0.3,
  clear = 0.2,
  ...options
}: RuleOptions & { readonly above?: number; readonly clear?: number } = {}): AlertRule =>
  thresholdRule({ name: flapping, ...options, value: ({ flapRatio }) => flapRatio, above, clear });

/** Name of the rule that silences the others. */
export const flapping = 'flapping';

function judged(target: TargetView, bad: string, good: readonly string[]): Judgement {
  const { status, since, message } = target;
  if (status === bad) {
    return {
      verdict: 'raise',
      since,
      summary: `${target.id} is ${status}${message === undefined ? '' : `: ${message}`}`,
    };
  }
  return { verdict: good.includes(status) ? 'clear' : 'hold' };
}
