import { readMatcher, type Matcher } from './matcher.ts';
import { text } from './range.ts';

/** Nobody is told of some alerts for a while. */
export interface Silence {
  readonly id: string;
  readonly match: Matcher;
  /** Milliseconds since 1970. */
  readonly until: number;
  readonly by: string;
  readonly note: string;
}

/** A silence copied and checked. @throws RangeError naming the option and its value. */
export function readSilence({ id, match, until, by, note }: Silence): Silence {
  if (!Number.isFinite(until)) {
    throw new RangeError(`healthMonitor: until must be a time in milliseconds, got ${until}`);
  }
  return { id, match: readMatcher(match), until, by: text('by', by), note: note.slice(0, 500) };
}
