import type { Settings } from './settings.ts';

/** The longest break that a failure may ask for, in milliseconds. */
const longestWishMs = 3_600_000;
/** The break when a break duration answers nonsense, in milliseconds. */
const fallbackBreakMs = 30_000;

/** Why and since when a circuit is not closed. */
export interface Outage {
  readonly openedAt: number;
  readonly retryAt: number;
  readonly attempt: number;
  readonly failureCount: number;
  readonly cause: unknown;
}

/** The outage that begins at `openedAt`; what an option throws goes to `onFault` and changes nothing else. */
export function outageFrom(
  opening: Omit<Outage, 'retryAt'>,
  settings: Settings,
  onFault: (error: unknown) => void,
): Outage {
  return { ...opening, retryAt: opening.openedAt + breakMs(opening, settings, onFault) };
}

function breakMs(
  opening: Omit<Outage, 'retryAt'>,
  { breakDuration, retryAfterMs }: Settings,
  onFault: (error: unknown) => void,
): number {
  let planned = fallbackBreakMs;
  let wished: number | undefined;
  try {
    planned = typeof breakDuration === 'number' ? breakDuration : breakDuration(opening);
    wished = retryAfterMs(opening.cause);
  } catch (error) {
    onFault(error);
  }
  if (!(planned > 0 && planned < Infinity)) planned = fallbackBreakMs;
  if (wished === undefined || !(wished > planned)) return planned;
  return Math.max(planned, Math.min(wished, longestWishMs));
}
