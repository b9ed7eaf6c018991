import { readTrace, startTrace, traceHeaderNames, type TraceContext } from '@mesh/trace-context';
import type { RawHeaders } from './hop-headers.ts';

/** The trace of a request by its raw fields; reading Node's parsed headers would build them all. */
export function readRawTrace(raw: RawHeaders): TraceContext {
  let found: Record<string, string | string[]> | undefined;
  for (let at = 0; at + 1 < raw.length; at += 2) {
    const name = raw[at] ?? '';
    // The names are 9 to 16 characters long and begin with an x or a t.
    const first = name.charCodeAt(0) | 0x20;
    if ((first !== 0x78 && first !== 0x74) || name.length > 16) continue;
    const folded = name.toLowerCase();
    if (!traceHeaderNames.has(folded)) continue;
    found ??= {};
    const before = found[folded];
    const value = raw[at + 1] ?? '';
    found[folded] = before === undefined ? value : [before, value].flat();
  }
  return found === undefined ? startTrace() : readTrace(found);
}
