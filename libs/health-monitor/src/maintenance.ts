import { readMatcher, type Matcher } from './matcher.ts';
import { count, duration, text } from './range.ts';

/** Work that was announced: nobody is told of alerts meanwhile. Times are UTC. */
export type Maintenance = {
  readonly name: string;
  readonly match: Matcher;
} & (
  | {
      /** Once: from here, in milliseconds since 1970, */
      readonly from: number;
      /** to there. */
      readonly until: number;
    }
  | {
      /** Again and again, on these days (0 is Sunday); default every day. */
      readonly weekdays?: readonly number[];
      /** Minutes after midnight at which it begins. */
      readonly startMinute: number;
      /** May reach into the next day; at most 24 h. */
      readonly durationMs: number;
    }
);

const dayMs = 86_400_000;

/** Whether work is being done. */
export function isOpen(maintenance: Maintenance, now: number): boolean {
  if ('from' in maintenance) return now >= maintenance.from && now < maintenance.until;
  const today = Math.floor(now / dayMs) * dayMs;
  return [today, today - dayMs].some((midnight) => {
    const from = midnight + maintenance.startMinute * 60_000;
    const weekday = new Date(midnight).getUTCDay();
    const days = maintenance.weekdays;
    return (
      (days === undefined || days.includes(weekday)) && now >= from && now < from + maintenance.durationMs
    );
  });
}

/** A copy. @throws RangeError naming the option and its value. */
export function readMaintenance(maintenance: Maintenance): Maintenance {
  const copy = {
    ...maintenance,
    name: text('name', maintenance.name),
    match: readMatcher(maintenance.match),
  };
  if ('from' in copy) {
    if (copy.until > copy.from) return copy;
    throw new RangeError(`healthMonitor: until must be after from, got ${copy.until}`);
  }
  count('startMinute', copy.startMinute, 0);
  if (duration('durationMs', copy.durationMs) <= dayMs) return copy;
  throw new RangeError(`healthMonitor: durationMs must be at most 24 h, got ${copy.durationMs}`);
}
