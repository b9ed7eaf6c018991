import type { Alert } from './alert.ts';
import { text } from './range.ts';
import { severity, type Severity } from './severity.ts';

/** Chooses alerts: all that is named must fit. A text that ends in `*` fits what begins with it. */
export interface Matcher {
  readonly rule?: string;
  readonly target?: string;
  readonly service?: string;
  /** Exactly this severity. */
  readonly severity?: Severity;
}

const names = ['rule', 'target', 'service'] as const;

/** Whether an alert is meant. */
export function matches(matcher: Matcher, alert: Pick<Alert, keyof Matcher>): boolean {
  if (matcher.severity !== undefined && matcher.severity !== alert.severity) return false;
  return names.every((name) => fits(matcher[name], alert[name]));
}

/** A copy. @throws RangeError when it names nothing, and so would choose everything. */
export function readMatcher(matcher: Matcher): Matcher {
  const copy: Record<string, string> = {};
  for (const name of names) {
    const wanted = matcher[name];
    if (wanted !== undefined) copy[name] = text(name, wanted);
  }
  if (matcher.severity !== undefined) copy['severity'] = severity('severity', matcher.severity);
  if (Object.keys(copy).length === 0) {
    throw new RangeError('healthMonitor: a matcher must name rule, target, service or severity, got {}');
  }
  return copy;
}

function fits(wanted: string | undefined, found: string): boolean {
  if (wanted === undefined) return true;
  return wanted.endsWith('*') ? found.startsWith(wanted.slice(0, -1)) : found === wanted;
}
