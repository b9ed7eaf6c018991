import { errors } from 'undici';
import type { Controller } from './undici-types.ts';

type RawHeaders = NonNullable<Controller['rawHeaders']> | null;

/** Stands in for undici's controller where a request ends before it begins. */
export const detached: Controller = Object.freeze({
  aborted: false,
  paused: false,
  reason: null,
  abort: () => undefined,
  pause: () => undefined,
  resume: () => undefined,
});

/**
 * The controller that a caller keeps for a whole call while attempts come and go. It exists before the first connection
 * does, so an abort takes effect during look-up, connect and back-off as well.
 */
export class CallController implements Controller {
  /** Controller of the attempt whose answer is passed on. */
  target: Controller | undefined;
  readonly #onAbort: (reason: Error) => void;
  #aborted = false;
  #reason: Error | null = null;

  constructor(onAbort: (reason: Error) => void) {
    this.#onAbort = onAbort;
  }

  get aborted(): boolean {
    return this.#aborted;
  }

  get reason(): Error | null {
    return this.#reason;
  }

  get paused(): boolean {
    return this.target?.paused ?? false;
  }

  get rawHeaders(): RawHeaders {
    return this.target?.rawHeaders ?? null;
  }

  set rawHeaders(headers: RawHeaders) {
    if (this.target !== undefined) this.target.rawHeaders = headers;
  }

  get rawTrailers(): RawHeaders {
    return this.target?.rawTrailers ?? null;
  }

  set rawTrailers(trailers: RawHeaders) {
    if (this.target !== undefined) this.target.rawTrailers = trailers;
  }

  pause(): void {
    this.target?.pause();
  }

  resume(): void {
    this.target?.resume();
  }

  abort(reason?: Error): void {
    if (this.#aborted) return;
    this.#aborted = true;
    this.#reason = reason ?? new errors.RequestAbortedError();
    this.#onAbort(this.#reason);
  }
}
