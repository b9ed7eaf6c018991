import type { Notice } from './notice.ts';
import type { Severity } from './severity.ts';
import type { CheckSignal } from './signal.ts';

/** Where notices go. */
export interface Sink {
  /** Unique among the sinks of a monitor, and the same after a restart. */
  readonly name: string;
  /** Milder notices are not for it. Default `info`: all are. */
  readonly minimumSeverity?: Severity;
  /**
   * Passes a notice on. What it throws or rejects with makes the monitor try again, later if the error has `retryAfterMs`, never if it has
   * `permanent: true`. The signal aborts after `timeoutMs`. After a crash it may get a notice again, with the same `id`.
   */
  deliver(notice: Notice, signal: CheckSignal): unknown;
}

/**
 * A function as a sink.
 *
 * ```ts
 * callbackSink((notice) => mail('ops@example.org', notice.title));
 * ```
 */
export const callbackSink = (
  deliver: Sink['deliver'],
  options: Partial<Pick<Sink, 'name' | 'minimumSeverity'>> = {},
): Sink => ({ name: 'callback', ...options, deliver });
