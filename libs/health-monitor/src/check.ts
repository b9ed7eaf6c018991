import type { CheckSignal } from './signal.ts';

/** What a target is worth at this moment: all of it, some of it, nothing. */
export type CheckStatus = 'up' | 'degraded' | 'down';

/** What a check found. */
export interface CheckResult {
  /** Default `up`. */
  readonly status?: CheckStatus;
  /** Why it is not up, or whatever is worth a word. Cut at 200 characters. */
  readonly message?: string;
  /** Milliseconds that the target took to answer, where the check knows better than the time it took itself. */
  readonly latencyMs?: number;
  /** Who answered; compared with the target's `identity`, so that a stranger on the same port counts as down. */
  readonly identity?: string;
  /** With `down`: do not wait for more of the kind. */
  readonly immediate?: boolean;
  /** Whatever else it said; passed to listeners and not kept. */
  readonly details?: unknown;
}

/**
 * Looks at a target once. It is up when the function returns (or resolves with) nothing; down when it throws or rejects; else what the result
 * says. The signal aborts when the time is over or nobody wants the answer any more.
 *
 * ```ts
 * const check: Check = async (signal) => {
 *   const { status } = await fetch('http://127.0.0.1:4000/health', { signal });
 *   return { status: status === 200 ? 'up' : status === 429 ? 'degraded' : 'down' };
 * };
 * ```
 */
export type Check = (signal: CheckSignal) => CheckResult | undefined | Promise<CheckResult | undefined>;

/** What went wrong, in one line of at most 200 characters. */
export function messageOf(error: unknown): string {
  const message = typeof error === 'object' && error !== null && 'message' in error ? error.message : error;
  return String(message).slice(0, 200) || 'failed';
}

/** Any outcome of a check as a result. */
export const failed = (error: unknown): CheckResult => ({ status: 'down', message: messageOf(error) });

/** What a target answers that is not the one we look for. */
export function identified(result: CheckResult, expected: string | undefined): CheckResult {
  if (expected === undefined || result.status === 'down' || result.identity === expected) return result;
  const message = `expected ${expected}, ${result.identity ?? 'nobody it knows'} answered`;
  return { ...result, status: 'down', message: messageOf(message) };
}
