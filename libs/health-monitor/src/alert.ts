import type { AlertRule, Judgement } from './rule.ts';
import { worstOf, type Severity } from './severity.ts';

/** Who has taken an alert, and what they say about it. */
export interface Acknowledgement {
  readonly by: string;
  readonly note: string;
  /** Milliseconds since 1970. */
  readonly at: number;
}

interface Facts {
  /** The same over restarts. */
  readonly id: string;
  readonly rule: string;
  readonly target: string;
  readonly service: string;
  readonly severity: Severity;
  readonly summary: string;
  readonly value?: number;
  /** When the trouble began, in milliseconds since 1970. */
  readonly startedAt: number;
}

interface Fired {
  readonly firedAt: number;
  /** Since when the trouble is over, while `keepFiringForMs` runs. */
  readonly clearSince?: number | undefined;
}

/** How an alert ended: the trouble went away, or the target did. */
export type Resolution = 'recovered' | 'removed';

/**
 * One trouble of one target.
 *
 * ```
 *   (none) --raise--> pending --forMs--> firing --acknowledge--> acknowledged
 *      ^                 |                  |                          |
 *      '------clear------'                  '---- clear for ----.------'
 *                                             keepFiringForMs   v
 *                                                            resolved     (the next trouble is a new alert)
 * ```
 *
 * Acknowledging ends the repeats, not the escalation to a higher severity; it holds until the alert is resolved.
 */
export type Alert =
  | (Facts & { readonly state: 'pending' })
  | (Facts & Fired & { readonly state: 'firing' })
  | (Facts & Fired & { readonly state: 'acknowledged'; readonly acknowledgement: Acknowledgement })
  | (Facts & {
      readonly state: 'resolved';
      readonly firedAt: number;
      readonly resolvedAt: number;
      /** Milliseconds from the begin of the trouble to its end. */
      readonly downtimeMs: number;
      readonly resolution: Resolution;
      readonly acknowledgement?: Acknowledgement;
    });

/** An alert that somebody should know of. */
export type ActiveAlert = Extract<Alert, { state: 'firing' | 'acknowledged' }>;

/** An alert that is over. */
export type ResolvedAlert = Extract<Alert, { state: 'resolved' }>;

/** Whether it is firing or acknowledged. */
export const isActive = (alert: Alert | undefined): alert is ActiveAlert =>
  alert?.state === 'firing' || alert?.state === 'acknowledged';

/** Of what the alert is, and its id should it be a new one. */
export interface Subject {
  readonly id: string;
  readonly target: string;
  readonly service: string;
}

/** The alert after a judgement; undefined: there is none. */
export function afterJudgement(
  alert: Alert | undefined,
  rule: AlertRule,
  judgement: Judgement,
  subject: Subject,
  now: number,
): Alert | undefined {
  if (alert === undefined || alert.state === 'resolved') {
    return judgement.verdict === 'raise' ? begun(rule, judgement, subject, now) : undefined;
  }
  if (alert.state === 'pending') return afterPending(alert, rule, judgement, now);
  if (judgement.verdict === 'clear') {
    const { clearSince = now } = alert;
    const over = now - clearSince >= rule.keepFiringForMs;
    return over ? resolved(alert, clearSince, 'recovered') : { ...alert, clearSince };
  }
  const words = judgement.verdict === 'raise' ? wording(judgement, alert) : {};
  return { ...alert, ...words, clearSince: undefined };
}

/** The alert with the severity that it has by now. */
export function escalated<T extends Alert>(alert: T, rule: AlertRule, now: number): T {
  if (!isActive(alert)) return alert;
  const due = rule.escalate.filter(({ afterMs }) => now - alert.firedAt >= afterMs);
  const severity = worstOf([alert.severity, ...due.map((step) => step.severity)]);
  return severity === alert.severity ? alert : { ...alert, severity };
}

/** The end of an alert. */
export function resolved(alert: ActiveAlert, at: number, resolution: Resolution): ResolvedAlert {
  const { id, rule, target, service, severity, summary, value, startedAt, firedAt } = alert;
  const facts = { id, rule, target, service, severity, summary, startedAt, firedAt };
  const downtimeMs = Math.max(0, at - startedAt);
  return {
    ...facts,
    ...(value !== undefined && { value }),
    ...(alert.state === 'acknowledged' && { acknowledgement: alert.acknowledgement }),
    state: 'resolved',
    resolvedAt: at,
    downtimeMs,
    resolution,
  };
}

function begun(rule: AlertRule, judgement: Judgement, subject: Subject, now: number): Alert {
  const startedAt = Math.min(now, judgement.since ?? now);
  const summary = judgement.summary ?? `${rule.name} of ${subject.target}`;
  const facts: Facts = {
    ...subject,
    rule: rule.name,
    severity: rule.severity,
    startedAt,
    summary,
    ...(judgement.value !== undefined && { value: judgement.value }),
  };
  return fired({ ...facts, state: 'pending' }, rule, now);
}

function afterPending(
  alert: Extract<Alert, { state: 'pending' }>,
  rule: AlertRule,
  judgement: Judgement,
  now: number,
): Alert | undefined {
  if (judgement.verdict === 'clear') return undefined;
  return judgement.verdict === 'hold' ? alert : fired({ ...alert, ...wording(judgement, alert) }, rule, now);
}

const fired = (alert: Extract<Alert, { state: 'pending' }>, rule: AlertRule, now: number): Alert =>
  now - alert.startedAt >= rule.forMs ? { ...alert, state: 'firing', firedAt: now } : alert;

function wording(judgement: Judgement, alert: Facts): Pick<Facts, 'summary' | 'value'> {
  const { summary = alert.summary, value } = judgement;
  return { summary, ...(value !== undefined && { value }) };
}
