import { errors } from 'undici';
import type { Attempt } from './attempt.ts';
import { Alarm } from './timer-wheel.ts';
import type { Flow, RawFields } from './transport.ts';

/**
 * The controller that a caller keeps for a whole call while attempts come and go. It exists before the first connection does, so an abort
 * takes effect during look-up, connect and back-off as well.
 */
export abstract class CallFlow extends Alarm implements Flow {
  aborted = false;
  reason: Error | null = null;
  /** The attempt whose answer is passed on. */
  protected passed: Attempt | undefined = undefined;

  get paused(): boolean {
    return this.passed?.flow?.paused ?? false;
  }

  get rawHeaders(): RawFields {
    return this.passed?.flow?.rawHeaders ?? null;
  }

  set rawHeaders(headers: RawFields) {
    const flow = this.passed?.flow;
    if (flow !== undefined) flow.rawHeaders = headers;
  }

  get rawTrailers(): RawFields {
    return this.passed?.flow?.rawTrailers ?? null;
  }

  set rawTrailers(trailers: RawFields) {
    const flow = this.passed?.flow;
    if (flow !== undefined) flow.rawTrailers = trailers;
  }

  pause(): void {
    this.passed?.flow?.pause();
  }

  resume(): void {
    this.passed?.flow?.resume();
  }

  abort(reason?: Error): void {
    if (this.aborted) return;
    this.aborted = true;
    this.reason = reason ?? new errors.RequestAbortedError();
    this.stop(this.reason, true);
  }

  /** Ends the call: `reason` is the caller's when it aborted, else a limit of time. */
  protected abstract stop(reason: Error, aborted: boolean): void;
}
