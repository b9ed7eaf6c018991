import { Readable } from 'node:stream';
import type { Dispatcher } from 'undici';
import type { CallRules } from './call-policy.ts';
import { hasHeader } from './headers.ts';

/** What went wrong with an attempt, as far as a retry is concerned. */
export interface AttemptFailure {
  /** Whether the request had been written, in whole or in part. */
  readonly sent: boolean;
  /** Whether the connection failed (refused, reset, too slow) rather than the answer. */
  readonly connection: boolean;
  /** What Retry-After asked for, in milliseconds. */
  readonly retryAfterMs?: number | undefined;
}

/** How long to wait before a retry. */
export type BackoffRules = Pick<CallRules, 'baseDelayMs' | 'maxDelayMs' | 'maxRetryAfterMs'>;

const idempotentMethods = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE', 'QUERY', 'PUT', 'DELETE']);

/** Methods that may run twice (RFC 9110 9.2.2, QUERY), and any with an Idempotency-Key or X-Idempotency-Key. */
export function isIdempotent({ method, headers }: Dispatcher.DispatchOptions): boolean {
  return (
    idempotentMethods.has(method) ||
    hasHeader(headers, 'idempotency-key') ||
    hasHeader(headers, 'x-idempotency-key')
  );
}

/** Whether a body is held in memory, or there is none: it can be sent any number of times. */
export function isHeld(body: unknown): boolean {
  return body === undefined || body === null || typeof body === 'string' || ArrayBuffer.isView(body);
}

/** Whether the body can be sent (again): held in memory, or not touched yet because nothing was sent. */
export function isReplayable(body: unknown, sent: boolean): boolean {
  if (isHeld(body)) return true;
  if (sent) return false;
  return !(body instanceof Readable && (body.destroyed || Readable.isDisturbed(body)));
}

/** Whether the rules of HTTP allow another attempt. What was never sent may be sent by any method. */
export function mayRetry(options: Dispatcher.DispatchOptions, { sent }: AttemptFailure): boolean {
  return isReplayable(options.body, sent) && (!sent || isIdempotent(options));
}

/**
 * Delay before retry number `retry` (1, 2, ...) in milliseconds, or undefined when waiting is pointless.
 * Exponential with full jitter, 0 <= delay < base x 2^(retry-1) (Brooker, "Exponential Backoff And Jitter").
 * A connection failure goes to another instance at once. Retry-After binds the instance that sent it: it is waited out
 * only when no other is left, and not at all when it is longer than `maxRetryAfterMs`.
 */
export function retryDelayMs(
  rules: BackoffRules,
  random: () => number,
  retry: number,
  failure: AttemptFailure,
  othersLeft: boolean,
): number | undefined {
  if (failure.connection && othersLeft) return 0;
  // 2 ** 1024 is Infinity, and Infinity x 0 no delay at all.
  const ceiling = Math.min(rules.maxDelayMs, rules.baseDelayMs * 2 ** Math.min(retry - 1, 1023));
  const delay = random() * ceiling;
  if (failure.retryAfterMs === undefined || othersLeft) return delay;
  return failure.retryAfterMs > rules.maxRetryAfterMs ? undefined : Math.max(delay, failure.retryAfterMs);
}

/** Retry-After in milliseconds from `now`, as seconds or as a date (RFC 9110 10.2.3); undefined when absent or malformed. */
export function readRetryAfterMs(value: unknown, now: number = Date.now()): number | undefined {
  if (typeof value !== 'string') return undefined;
  if (/^\d{1,9}$/.test(value)) return Number(value) * 1000;
  // Date.parse alone would take '-5' and '1.5' for years.
  const at = /^[A-Z][a-z]{2}/.test(value) ? Date.parse(value) : NaN;
  return Number.isNaN(at) ? undefined : Math.max(0, at - now);
}
