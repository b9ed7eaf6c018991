import type { ActiveAlert, ResolvedAlert } from './alert.ts';
import { severities, worstOf, type Severity } from './severity.ts';

/** What people are told of one alert. `resolved` carries the downtime. */
export type NoticeItem =
  | { readonly kind: 'firing' | 'repeat' | 'escalated' | 'acknowledged'; readonly alert: ActiveAlert }
  | { readonly kind: 'resolved'; readonly alert: ResolvedAlert };

/** One message to people: everything of a group that became due. */
export interface Notice {
  /** The same whenever it is delivered again: who remembers it hears nothing twice. */
  readonly id: string;
  readonly group: string;
  /** When it was written, in milliseconds since 1970. */
  readonly at: number;
  /** The worst of its alerts. */
  readonly severity: Severity;
  /** One line. */
  readonly title: string;
  readonly items: readonly NoticeItem[];
}

/** A notice of items that belong together. */
export function noticeOf(id: string, group: string, items: readonly NoticeItem[], at: number): Notice {
  return {
    id,
    group,
    at,
    severity: worstOf(items.map(({ alert }) => alert.severity)),
    title: titleOf(items),
    items,
  };
}

/** A span of time as people say it: `1 h 5 min`, `2 min 30 s`, `3.2 s`. */
export function spanOf(ms: number): string {
  if (ms < 10_000) return `${(ms / 1000).toFixed(1)} s`;
  const seconds = Math.round(ms / 1000);
  const units = [
    [Math.floor(seconds / 86_400), 'd'],
    [Math.floor(seconds / 3600) % 24, 'h'],
    [Math.floor(seconds / 60) % 60, 'min'],
    [seconds % 60, 's'],
  ] as const;
  const first = units.findIndex(([amount]) => amount > 0);
  return units
    .slice(first, first + 2)
    .filter(([amount]) => amount > 0)
    .map(([amount, unit]) => `${amount} ${unit}`)
    .join(' ');
}

function titleOf(items: readonly NoticeItem[]): string {
  const [worst] = [...items].sort(
    (a, b) => severities.indexOf(b.alert.severity) - severities.indexOf(a.alert.severity),
  );
  if (worst === undefined) return '';
  const more = items.length > 1 ? ` (and ${items.length - 1} more)` : '';
  return `${lineOf(worst)}${more}`;
}

/** An item in one line. */
export function lineOf({ kind, alert }: NoticeItem): string {
  if (kind === 'resolved') {
    const how = alert.resolution === 'removed' ? 'gone' : 'resolved';
    return `${how}: ${alert.rule} of ${alert.target} after ${spanOf(alert.downtimeMs)}`;
  }
  const by = alert.state === 'acknowledged' ? ` (acknowledged by ${alert.acknowledgement.by})` : '';
  return `${kind} ${alert.severity}: ${alert.summary}${by}`;
}
