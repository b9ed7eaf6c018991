import { delay, text } from './range.ts';
import { severity, type Severity } from './severity.ts';
import type { TargetView } from './target-view.ts';

/** What a rule thinks of a target: it is bad, it is good, or neither: then whatever was goes on. */
export interface Judgement {
  readonly verdict: 'raise' | 'hold' | 'clear';
  /** The measured value. */
  readonly value?: number;
  /** One line for people. */
  readonly summary?: string;
  /** When the trouble began, where that is known better than by the judgement itself; milliseconds since 1970. */
  readonly since?: number;
}

/** An alert that nobody ends becomes worse: so long after it fired it has this severity. */
export interface Escalation {
  readonly afterMs: number;
  readonly severity: Severity;
}

/** What every rule can be told. */
export interface RuleOptions {
  /** Name in alerts and matchers; unique among the rules of a target. */
  readonly name?: string;
  readonly severity?: Severity;
  /** So long the trouble lasts before the alert fires, in milliseconds. Default 0. */
  readonly forMs?: number;
  /** So long it must be over before the alert is resolved, in milliseconds. Default 0. */
  readonly keepFiringForMs?: number;
  /** Default: none. */
  readonly escalate?: readonly Escalation[];
}

/** Judges every target after each of its results. */
export interface AlertRule {
  readonly name: string;
  readonly severity: Severity;
  readonly forMs: number;
  readonly keepFiringForMs: number;
  readonly escalate: readonly Escalation[];
  judge(target: TargetView): Judgement;
}

/**
 * A rule of your own.
 *
 * ```ts
 * const quiet = alertRule({
 *   name: 'no-traffic',
 *   severity: 'info',
 *   forMs: 600_000,
 *   judge: (target) => ({ verdict: target.window('5m').throughput > 0 ? 'clear' : 'raise' }),
 * });
 * ```
 *
 * @throws RangeError naming the option and its value.
 */
export function alertRule(
  options: RuleOptions & { readonly name: string; readonly judge: AlertRule['judge'] },
): AlertRule {
  const { name, judge, forMs = 0, keepFiringForMs = 0, escalate = [] } = options;
  return {
    name: text('name', name),
    severity: severity('severity', options.severity ?? 'warning'),
    forMs: delay('forMs', forMs),
    keepFiringForMs: delay('keepFiringForMs', keepFiringForMs),
    escalate: escalate.map((step) => ({
      afterMs: delay('afterMs', step.afterMs),
      severity: severity('escalate.severity', step.severity),
    })),
    judge,
  };
}
