import type { AlertThresholds } from './alert-thresholds.ts';
import { alertThresholds } from './alert-thresholds.ts';
import type { Check } from './check.ts';
import { text } from './range.ts';
import type { AlertRule } from './rule.ts';
import { readTiming, type Timing } from './timing.ts';

/** Something to be watched. */
export interface Target extends Timing {
  /** Unique in the monitor, and the same after a restart. */
  readonly id: string;
  /** What it is an instance of. Default: its id. */
  readonly service?: string;
  readonly check: Check;
  /** Who must answer; see `CheckResult.identity`. Default: anybody. */
  readonly identity?: string;
  /** Ids or services without which it cannot work: while one is down, no new alert of this target is raised. */
  readonly dependsOn?: readonly string[];
  readonly labels?: Readonly<Record<string, string>>;
  readonly alertThresholds?: AlertThresholds;
  /** Beside those of the monitor. */
  readonly rules?: readonly AlertRule[];
}

/** A target, complete and checked. */
export interface ReadTarget extends Required<Timing> {
  readonly id: string;
  readonly service: string;
  readonly check: Check;
  readonly identity: string | undefined;
  readonly dependsOn: readonly string[];
  readonly labels: Readonly<Record<string, string>>;
  readonly rules: readonly AlertRule[];
}

/** @throws RangeError naming the option and its value. */
export function readTarget(target: Target, defaults: Timing, rules: readonly AlertRule[]): ReadTarget {
  const id = text('id', target.id);
  return {
    ...readTiming({ ...defaults, ...target }),
    id,
    service: text('service', target.service ?? id),
    check: target.check,
    identity: target.identity,
    dependsOn: [...(target.dependsOn ?? [])],
    labels: { ...target.labels },
    rules: rulesOf(target, rules),
  };
}

/** Targets without rules of their own share those of the monitor. */
function rulesOf({ alertThresholds: limits = {}, rules = [] }: Target, common: readonly AlertRule[]) {
  const own = [...alertThresholds(limits), ...rules];
  return own.length === 0 ? common : uniqueRules([...common, ...own]);
}

/** Of two rules with one name the later one counts. */
export function uniqueRules(rules: readonly AlertRule[]): readonly AlertRule[] {
  return [...new Map(rules.map((rule) => [rule.name, rule])).values()];
}
