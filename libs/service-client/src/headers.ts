import { readTrace, traceHeaderNames, type TraceContext } from '@mesh/trace-context';
import type { Dispatcher } from 'undici';

type Headers = Dispatcher.DispatchOptions['headers'];
type Visit = (name: string, value: string) => void;

/**
 * How long the caller still waits, in whole milliseconds from the moment of sending: written on every attempt that has a deadline, and read from
 * the headers of a call. Time left, not a date: two machines need not agree what time it is.
 */
export const timeLeftHeader = 'x-request-timeout-ms';

/** What a call's headers say; `pairs` are those that every attempt sends as they are. */
export interface CallHeaders {
  readonly pairs: readonly string[];
  /** The trace that came with them. */
  readonly trace: TraceContext | undefined;
  /** What the caller's caller still waits for, in milliseconds. */
  readonly timeLeftMs: number | undefined;
}

function visitValue(name: string, value: unknown, visit: Visit): void {
  if (value === undefined) return;
  if (typeof value === 'string') visit(name, value);
  else if (Array.isArray(value)) for (const one of value) visitValue(name, one, visit);
  else if (value === null) visit(name, '');
  else if (typeof value === 'number' || typeof value === 'boolean') visit(name, String(value));
  else throw new TypeError(`serviceClient: header ${name} must be text`);
}

/** Goes over headers of any shape that undici takes: flat pairs, an object, an iterable of pairs. */
function forEachHeader(headers: Headers, visit: Visit): void {
  if (headers === undefined || headers === null) return;
  if (Array.isArray(headers)) {
    for (let i = 0; i < headers.length; i += 2) visitValue(headers[i] ?? '', headers[i + 1], visit);
  } else if (Symbol.iterator in headers) {
    for (const [name, value] of headers) visitValue(name, value, visit);
  } else {
    for (const name in headers) visitValue(name, headers[name], visit);
  }
}

/** Headers of any shape as flat pairs: an iterable is read now, because a second reading may find it empty. */
export function flatPairs(headers: Headers): readonly string[] {
  if (Array.isArray(headers) && headers.every(isText)) return headers;
  const pairs: string[] = [];
  forEachHeader(headers, (name, value) => pairs.push(name, value));
  return pairs;
}

const isText = (value: unknown): boolean => typeof value === 'string';

/** Lengths of the names that are ours, so that most names are told from them without another look. */
const ownLengths = new Set([timeLeftHeader, ...traceHeaderNames].map((name) => name.length));

function isOwn(name: string): boolean {
  if (!ownLengths.has(name.length)) return false;
  const lower = name.toLowerCase();
  return lower === timeLeftHeader || traceHeaderNames.has(lower);
}

/** Sorts the headers of a call; looked at once for all attempts. A caller's array without headers of ours is used as it is. */
export function readHeaders(headers: Headers): CallHeaders {
  const pairs = flatPairs(headers);
  for (let at = 0; at < pairs.length; at += 2) if (isOwn(pairs[at] ?? '')) return sortOut(pairs);
  return { pairs, trace: undefined, timeLeftMs: undefined };
}

function sortOut(all: readonly string[]): CallHeaders {
  const pairs: string[] = [];
  const own: Record<string, string | string[]> = {};
  for (let at = 0; at < all.length; at += 2) {
    const [name = '', value = ''] = [all[at], all[at + 1]];
    if (!isOwn(name)) pairs.push(name, value);
    else {
      const lower = name.toLowerCase();
      const before = own[lower];
      own[lower] = before === undefined ? value : [before, value].flat();
    }
  }
  const { [timeLeftHeader]: timeLeft, ...traced } = own;
  const trace = Object.keys(traced).length > 0 ? readTrace(traced) : undefined;
  return { pairs, trace, timeLeftMs: readTimeLeftMs(timeLeft) };
}

/** A whole number of milliseconds that a timer can keep; anything else is as if it were absent. */
function readTimeLeftMs(value: unknown): number | undefined {
  if (typeof value !== 'string' || !/^\d{1,10}$/.test(value)) return undefined;
  const ms = Number(value);
  return ms > 0 && ms < 2 ** 31 ? ms : undefined;
}

/** Whether a header is present, whatever its case. */
export function hasHeader(headers: Headers | readonly string[], wanted: string): boolean {
  let found = false;
  forEachHeader(headers as Headers, (name) => {
    found ||= name.length === wanted.length && name.toLowerCase() === wanted;
  });
  return found;
}
