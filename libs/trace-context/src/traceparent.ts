import { isZero } from './id.ts';

/** What a `traceparent` header says. */
export interface TraceParent {
  readonly traceId: string;
  readonly spanId: string;
  readonly sampled: boolean;
}

const pattern = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/;

/**
 * Reads a `traceparent` strictly (W3C Trace Context, 3.2): lower-case hex, version `ff` and all-zero ids are
 * invalid, version 00 has exactly 55 characters, a later version is read by its first 55.
 */
export function parseTraceParent(text: string): TraceParent | undefined {
  const [, version, traceId, spanId, flags, rest] = pattern.exec(text) ?? [];
  if (version === undefined || traceId === undefined || spanId === undefined || flags === undefined) return;
  if (version === 'ff' || (version === '00' && rest !== undefined)) return;
  if (isZero(traceId) || isZero(spanId)) return;
  return { traceId, spanId, sampled: (Number.parseInt(flags, 16) & 1) === 1 };
}

/** Writes version 00; of the flags only `sampled` is known to us and passed on. */
export function formatTraceParent({ traceId, spanId, sampled }: TraceParent): string {
  return `00-${traceId}-${spanId}-${sampled ? '01' : '00'}`;
}
