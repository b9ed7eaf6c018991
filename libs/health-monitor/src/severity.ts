/** How much an alert matters: worth knowing, worth a look today, worth a look now, worth waking somebody. */
export type Severity = 'info' | 'warning' | 'critical' | 'page';

/** All severities, the mildest first. */
export const severities: readonly Severity[] = ['info', 'warning', 'critical', 'page'];

/** Whether `severity` is `least` or worse. */
export const isAtLeast = (severity: Severity, least: Severity): boolean =>
  severities.indexOf(severity) >= severities.indexOf(least);

/** The worst of some; `info` of none. */
export const worstOf = (all: readonly Severity[]): Severity =>
  all.reduce<Severity>((worst, one) => (isAtLeast(one, worst) ? one : worst), 'info');

/** @throws RangeError naming the option and its value. */
export function severity(option: string, value: Severity): Severity {
  if (severities.includes(value)) return value;
  throw new RangeError(
    `healthMonitor: ${option} must be one of ${severities.join(', ')}, got ${value as string}`,
  );
}
