import type { CallResult } from './call.ts';

interface Telling {
  readonly retryAfterMs?: unknown;
  readonly headers?: { readonly get?: (name: string) => unknown };
  readonly response?: Telling;
}

/**
 * How long the other side asks to wait, in milliseconds: a number `retryAfterMs` on the error or the value (a `CircuitOpenError`, a
 * `RateLimitedError`), else its header `Retry-After`, or that of its `response`, as seconds or as a date (RFC 9110, 10.2.3).
 *
 * @param now the time of day that a date is compared with, in milliseconds.
 */
export function retryAfterMs(result: CallResult, now: number = Date.now()): number | undefined {
  const source = result.ok ? result.value : result.error;
  return isObject(source)
    ? (asked(source, now) ?? (isObject(source.response) ? asked(source.response, now) : undefined))
    : undefined;
}

function asked(source: Telling, now: number): number | undefined {
  if (typeof source.retryAfterMs === 'number') return source.retryAfterMs;
  const header = typeof source.headers?.get === 'function' ? source.headers.get('retry-after') : undefined;
  return typeof header === 'string' ? parse(header.trim(), now) : undefined;
}

function parse(header: string, now: number): number | undefined {
  if (/^\d+$/.test(header)) return Number(header) * 1000;
  const date = Date.parse(header);
  // A date begins with the name of a day; Date.parse takes many other things for one.
  return /^[A-Za-z]{3}/.test(header) && !Number.isNaN(date) ? Math.max(0, date - now) : undefined;
}

function isObject(value: unknown): value is Telling {
  return typeof value === 'object' && value !== null;
}
