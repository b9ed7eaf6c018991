import { finite } from './range.ts';
import { alertRule, type AlertRule, type Judgement, type RuleOptions } from './rule.ts';
import type { TargetView } from './target-view.ts';

/** A limit with hysteresis: crossing it raises the alert, and only coming back as far as `clear` ends it. */
export type Threshold =
  | { readonly above: number; readonly below?: never; readonly clear?: number }
  | { readonly below: number; readonly above?: never; readonly clear?: number };

/** A value of a target against a limit. */
export type ThresholdRuleOptions = RuleOptions &
  Threshold & {
    readonly name: string;
    /** Undefined while nothing can be said: then whatever was goes on. */
    readonly value: (target: TargetView) => number | undefined;
    /** How the value reads in the summary. Default: as it is. */
    readonly format?: (value: number) => string;
  };

/**
 * Compares any value of a target with a limit.
 *
 * ```ts
 * thresholdRule({ name: 'busy', value: (target) => target.window('1m').throughput, above: 500, clear: 400 });
 * ```
 *
 * @throws RangeError when a limit is no number, or `clear` lies on the wrong side of it.
 */
export function thresholdRule(options: ThresholdRuleOptions): AlertRule {
  const { above, below, value: read, format = String } = options;
  const upwards = above !== undefined;
  const limit = finite(upwards ? 'above' : 'below', upwards ? above : below);
  const clear = finite('clear', options.clear ?? limit);
  const side = upwards ? 1 : -1;
  if ((limit - clear) * side < 0) {
    throw new RangeError(`healthMonitor: clear must not lie beyond ${limit}, got ${clear}`);
  }
  const judge = (target: TargetView): Judgement => {
    const value = read(target);
    if (value === undefined) return { verdict: 'hold' };
    if ((value - limit) * side > 0) {
      const word = upwards ? 'above' : 'below';
      const summary = `${options.name} of ${target.id} is ${format(value)}, ${word} ${format(limit)}`;
      return { verdict: 'raise', value, summary };
    }
    return { verdict: (value - clear) * side <= 0 ? 'clear' : 'hold', value };
  };
  return alertRule({ ...options, judge });
}
