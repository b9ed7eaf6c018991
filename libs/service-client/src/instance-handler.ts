import { detached } from './call-controller.ts';
import { errorKind, isTimeout } from './error-kind.ts';
import { TimeoutError, UpstreamError, isTimeoutError } from './errors.ts';
import { readRetryAfterMs } from './retry-policy.ts';
import type { Admission } from './admission.ts';
import type { Controller, Handler, ResponseHeaders, UpgradeSocket } from './undici-types.ts';

const outcomeOf = (status: number): 'failure' | 'success' => (status >= 500 ? 'failure' : 'success');

/** Follows one attempt at one instance, passes everything on, and tells the admission how it went. */
export class InstanceHandler implements Handler {
  readonly #handler: Handler;
  readonly #admission: Admission;
  readonly #service: string;
  readonly #timeoutMs: number;
  readonly #timer: NodeJS.Timeout | undefined;
  #controller: Controller | undefined;
  #expired: TimeoutError | undefined;
  #over = false;

  constructor(handler: Handler, admission: Admission, limits: { service: string; timeoutMs: number }) {
    this.#handler = handler;
    this.#admission = admission;
    this.#service = limits.service;
    this.#timeoutMs = limits.timeoutMs;
    if (limits.timeoutMs > 0)
      this.#timer = setTimeout(() => {
        this.#expire();
      }, limits.timeoutMs).unref();
  }

  onRequestStart(controller: Controller, context: unknown): void {
    if (this.#expired !== undefined) {
      controller.abort(this.#expired);
      return;
    }
    this.#handler.onRequestStart?.(controller, context);
    // Only now: who was aborted before it began was asked nothing, and is not to blame.
    this.#controller = controller;
  }

  onBodySent(chunk: Buffer): void {
    this.#timer?.refresh();
    this.#handler.onBodySent?.(chunk);
  }

  onRequestSent(): void {
    this.#timer?.refresh();
    this.#handler.onRequestSent?.();
  }

  onResponseStarted(): void {
    this.#handler.onResponseStarted?.();
  }

  onResponseStart(controller: Controller, status: number, headers: ResponseHeaders, message?: string): void {
    // 1xx is news on the way, the outcome comes with the final head.
    if (status >= 200) this.#settle(outcomeOf(status));
    if (status === 503) this.#heed(headers);
    this.#handler.onResponseStart?.(controller, status, headers, message);
  }

  onRequestUpgrade(
    controller: Controller,
    status: number,
    headers: ResponseHeaders,
    socket: UpgradeSocket,
  ): void {
    this.#settle(outcomeOf(status));
    // A tunnel loads the instance for as long as it is open.
    socket.once('close', () => {
      this.#end();
    });
    this.#handler.onRequestUpgrade?.(controller, status, headers, socket);
  }

  onResponseData(controller: Controller, chunk: Buffer): void {
    this.#handler.onResponseData?.(controller, chunk);
  }

  onResponseEnd(controller: Controller, trailers: ResponseHeaders): void {
    this.#end();
    this.#handler.onResponseEnd?.(controller, trailers);
  }

  onResponseError(controller: Controller, error: Error): void {
    if (this.#over) return;
    // undici hands out no controller when it refuses a request at once.
    const aborted = (controller as Controller | null)?.aborted === true;
    const sent = this.#controller !== undefined;
    const kind = errorKind(error, sent);
    // An abort is the caller's and blames nobody, unless time ran out: then the answer was still wanted.
    const blame = aborted ? sent && isTimeout(error) : kind !== 'other';
    this.#settle(blame ? 'failure' : 'ignored', error);
    this.#end();
    this.#handler.onResponseError?.(
      controller,
      aborted || kind === 'other' ? error : this.#translate(error, kind),
    );
  }

  #settle(outcome: 'success' | 'failure' | 'ignored', error?: Error): void {
    clearTimeout(this.#timer);
    this.#admission.settle(outcome, error);
  }

  /** Only of a 503: a 429 speaks of the caller, and others call through the same client. */
  #heed(headers: ResponseHeaders): void {
    const retryAfterMs = readRetryAfterMs(headers['retry-after']);
    if (retryAfterMs !== undefined) this.#admission.leaveAlone(retryAfterMs);
  }

  #end(): void {
    if (this.#over) return;
    this.#over = true;
    clearTimeout(this.#timer);
    this.#admission.release();
  }

  #expire(): void {
    const { instance } = this.#admission;
    const message = `${this.#service} (${instance}) did not answer within ${this.#timeoutMs} ms`;
    const error = new TimeoutError(message, { instance, timeoutMs: this.#timeoutMs });
    this.#expired = error;
    if (this.#controller !== undefined) {
      this.#controller.abort(error);
      return;
    }
    // Still waiting for a connection: the attempt ends here, and is aborted if it should ever begin.
    this.#settle('failure', error);
    this.#end();
    this.#handler.onResponseError?.(detached, error);
  }

  #translate(error: Error, kind: 'network' | 'timeout'): Error {
    if (isTimeoutError(error)) return error;
    const { instance } = this.#admission;
    const options = { cause: error, instance };
    if (kind === 'network') return new UpstreamError(this.#service, error.message, options);
    return new TimeoutError(`${this.#service} (${instance}): ${error.message}`, options);
  }
}
