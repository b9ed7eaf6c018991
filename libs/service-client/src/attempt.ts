import { TimeoutError } from './errors.ts';
import type { Controller, Handler, ResponseHeaders, UpgradeSocket } from './undici-types.ts';

/** The call that an attempt is made for. */
export interface AttemptOwner {
  /** Handler and controller of the caller, to pass an event on. */
  readonly caller: { readonly handler: Handler; readonly controller: Controller };
  /** From here on the caller sees this attempt, for better or worse. */
  pass(attempt: Attempt): void;
  /** A final head has come: true when it is passed on, false when the attempt is discarded for a retry. */
  head(attempt: Attempt, status: number, headers: ResponseHeaders): boolean;
  /** The response has ended. */
  end(): void;
  /** The attempt broke off; `sent` tells whether the request had been written. */
  fail(sent: boolean, error: Error): void;
}

/** Most bytes of a discarded answer that are read to keep its connection; a longer one costs the connection. */
const drainLimit = 64 * 1024;

/** The handler of one attempt. A call that has turned away from it hears nothing more of it. */
export class Attempt implements Handler {
  readonly #call: AttemptOwner;
  #state: 'live' | 'draining' | 'over' = 'live';
  #cancelled: Error | undefined;
  #drained = 0;
  controller: Controller | undefined;

  constructor(call: AttemptOwner) {
    this.#call = call;
  }

  /** Ends the attempt without a word to the caller; one that has not begun is aborted when it does. */
  cancel(reason: Error | undefined): void {
    if (this.#state === 'over') return;
    this.#state = 'over';
    this.#cancelled = reason ?? new TimeoutError('the answer was discarded for a retry');
    this.controller?.abort(this.#cancelled);
  }

  onRequestStart(controller: Controller): void {
    this.controller = controller;
    if (this.#cancelled !== undefined) controller.abort(this.#cancelled);
  }

  onBodySent(chunk: Buffer): void {
    if (this.#state === 'live') this.#call.caller.handler.onBodySent?.(chunk);
  }

  onRequestSent(): void {
    if (this.#state === 'live') this.#call.caller.handler.onRequestSent?.();
  }

  onResponseStarted(): void {
    if (this.#state === 'live') this.#call.caller.handler.onResponseStarted?.();
  }

  onResponseStart(_: Controller, status: number, headers: ResponseHeaders, message?: string): void {
    if (this.#state !== 'live') return;
    if (status < 200) this.#call.pass(this);
    else if (!this.#call.head(this, status, headers)) {
      this.#state = 'draining';
      return;
    }
    const { handler, controller } = this.#call.caller;
    handler.onResponseStart?.(controller, status, headers, message);
  }

  onRequestUpgrade(_: Controller, status: number, headers: ResponseHeaders, socket: UpgradeSocket): void {
    if (this.#state !== 'live') {
      socket.destroy();
      return;
    }
    // Passed on whatever its status (that of a CONNECT may be any), so never discarded for a retry.
    this.#call.pass(this);
    this.#call.head(this, status, headers);
    this.#state = 'over';
    this.#call.end();
    const { handler, controller } = this.#call.caller;
    handler.onRequestUpgrade?.(controller, status, headers, socket);
  }

  onResponseData(_: Controller, chunk: Buffer): void {
    if (this.#state === 'live') {
      const { handler, controller } = this.#call.caller;
      handler.onResponseData?.(controller, chunk);
    } else if (this.#state === 'draining') {
      this.#drained += chunk.length;
      if (this.#drained > drainLimit) this.cancel(undefined);
    }
  }

  onResponseEnd(_: Controller, trailers: ResponseHeaders): void {
    const live = this.#state === 'live';
    this.#state = 'over';
    if (!live) return;
    this.#call.end();
    const { handler, controller } = this.#call.caller;
    handler.onResponseEnd?.(controller, trailers);
  }

  onResponseError(_: Controller, error: Error): void {
    const live = this.#state === 'live';
    this.#state = 'over';
    if (live) this.#call.fail(this.controller !== undefined, error);
  }
}
