import {
  readTrace,
  startTrace,
  traceHeaderNames,
  traceHeaders,
  type TraceContext,
} from '@mesh/trace-context';
import type { Dispatcher } from 'undici';

type Headers = Dispatcher.DispatchOptions['headers'];
type Visit = (name: string, value: string) => void;

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

/** Headers that can be sent more than once: an iterable is read now, because a second reading may find it empty. */
export function replayableHeaders(headers: Headers): Headers {
  if (headers === undefined || headers === null || Array.isArray(headers)) return headers;
  if (!(Symbol.iterator in headers)) return headers;
  const pairs: string[] = [];
  forEachHeader(headers, (name, value) => pairs.push(name, value));
  return pairs;
}

/** Whether a header is present, whatever its case. */
export function hasHeader(headers: Headers, wanted: string): boolean {
  let found = false;
  forEachHeader(headers, (name) => {
    found ||= name.length === wanted.length && name.toLowerCase() === wanted;
  });
  return found;
}

/** The trace of a request: the one in its headers, else a new one. */
export function traceOf(headers: Headers): TraceContext {
  const given: Record<string, string | string[]> = {};
  forEachHeader(headers, (name, value) => {
    const lower = name.toLowerCase();
    if (!traceHeaderNames.has(lower)) return;
    const before = given[lower];
    given[lower] = before === undefined ? value : [before, value].flat();
  });
  return Object.keys(given).length > 0 ? readTrace(given) : startTrace();
}

/** The headers as flat pairs, with those of `trace` in place of any trace headers that were there. */
export function tracedHeaders(headers: Headers, trace: TraceContext): string[] {
  const pairs: string[] = [];
  forEachHeader(headers, (name, value) => {
    if (!traceHeaderNames.has(name.toLowerCase())) pairs.push(name, value);
  });
  const own = traceHeaders(trace);
  for (const name in own) pairs.push(name, own[name] ?? '');
  return pairs;
}
