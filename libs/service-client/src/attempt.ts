import type { Duplex } from 'node:stream';
import { Admission } from './admission.ts';
import type { Call } from './call.ts';
import { isTimeout, type ErrorKind } from './error-kind.ts';
import { TimeoutError, UpstreamError, isTimeoutError } from './errors.ts';
import { readRetryAfterMs } from './retry-policy.ts';
import type { AttemptSpan } from './tracing.ts';
import type { Fields, Flow, Sink } from './transport.ts';

/** Most bytes of a discarded answer that are read to keep its connection; a longer one costs the connection. */
const drainLimit = 64 * 1024;

/**
 * One attempt of a call, all in one object: it is the sink of the request, holds the right to send it (permit and lease), and tells how it
 * went. A call that has turned away from it hears nothing more of it.
 *
 * ```
 *   live --head is passed on, end--> over      the outcome is settled at the head, the load at the end
 *    |---error, limit, cancel------> over
 *    '---head is discarded---------> draining --end, too long, cancel--> over
 * ```
 */
export class Attempt extends Admission implements Sink {
  /** From the moment that the request is about to be written. */
  flow: Flow | undefined = undefined;
  state: 'live' | 'draining' | 'over' = 'live';
  /** When its silence, before the head or within the body, has lasted too long. */
  dueAt = Infinity;
  /** Its span, where somebody records. */
  span: AttemptSpan | undefined = undefined;
  #error: Error | undefined = undefined;
  /** Status of the final head. */
  status: number | undefined = undefined;
  /** Whether any byte of an answer has come. */
  answered = false;
  readonly #call: Call;
  #cancelled: Error | undefined = undefined;
  #drained = 0;

  constructor(call: Call) {
    super(call.clock);
    this.#call = call;
  }

  /** Whether the call still listens to it. */
  get isLive(): boolean {
    return this.state === 'live';
  }

  get readsRawHeaders(): boolean {
    return this.#call.handler.readsRawHeaders === true;
  }

  /** Whether the request had been written, in whole or in part. */
  get sent(): boolean {
    return this.flow !== undefined;
  }

  override release(): void {
    super.release();
    const { span } = this;
    if (span === undefined) return;
    this.span = undefined;
    span.end(this.status, this.#error);
  }

  /** Ends the attempt without a word to the caller; one that has not begun is aborted when it does. */
  cancel(reason: Error | undefined): void {
    if (this.state === 'over') return;
    this.state = 'over';
    this.#cancelled = reason ?? new TimeoutError('the answer was discarded for another attempt');
    // An abort blames nobody, unless time ran out: then the answer was still wanted. Who was asked nothing is not to blame.
    this.#close(reason !== undefined && this.sent && isTimeout(reason) ? 'failure' : 'ignored', reason);
    this.flow?.abort(this.#cancelled);
  }

  /** It was never sent: there is nobody to send it to. */
  refuse(error: Error, kind: ErrorKind): void {
    if (this.state !== 'live') return;
    this.state = 'over';
    this.#call.fail(this, error, kind);
  }

  /** It has been silent for too long. */
  expire(limitMs: number): void {
    const { instance } = this;
    const what =
      this.status === undefined ? 'did not answer within' : 'was silent in the middle of a body for';
    const message = `${this.#call.name} (${instance ?? ''}) ${what} ${limitMs} ms`;
    const error = new TimeoutError(message, { instance, timeoutMs: limitMs });
    this.state = 'over';
    this.#cancelled = error;
    this.#close('failure', error);
    this.flow?.abort(error);
    this.#call.fail(this, error, 'timeout');
  }

  onRequestStart(flow: Flow): void {
    this.flow = flow;
    if (this.#cancelled !== undefined) flow.abort(this.#cancelled);
  }

  onBodySent(chunk: Buffer): void {
    if (this.state !== 'live') return;
    this.#call.putOff(this);
    this.#call.handler.onBodySent?.(chunk);
  }

  onRequestSent(): void {
    if (this.state !== 'live') return;
    this.#call.putOff(this);
    this.#call.handler.onRequestSent?.();
  }

  onResponseStarted(): void {
    this.answered = true;
    if (this.state === 'live') this.#call.handler.onResponseStarted?.();
  }

  onResponseStart(_: Flow, status: number, headers: Fields, message?: string): void {
    if (this.state !== 'live') return;
    const call = this.#call;
    // 1xx is news on the way, the outcome comes with the final head.
    if (status < 200) call.pass(this);
    else if (!this.#head(status, headers)) {
      if (this.isLive) this.state = 'draining';
      return;
    }
    call.handler.onResponseStart?.(call, status, call.debug(this, headers), message);
  }

  onRequestUpgrade(_: Flow, status: number, headers: Fields, socket: Duplex): void {
    if (this.state !== 'live') {
      socket.destroy();
      return;
    }
    const call = this.#call;
    // Passed on whatever its status (that of a CONNECT may be any), so never discarded for a retry.
    call.pass(this);
    this.#head(status, headers);
    this.state = 'over';
    this.dueAt = Infinity;
    // A tunnel loads the instance for as long as it is open.
    socket.once('close', () => {
      this.clock.read();
      this.release();
    });
    call.end();
    call.handler.onRequestUpgrade?.(call, status, headers, socket);
  }

  onResponseData(_: Flow, chunk: Buffer): void {
    if (this.state === 'live') {
      if (this.dueAt < Infinity) this.dueAt = this.clock.read() + this.#call.bodyTimeoutMs;
      this.#call.handler.onResponseData?.(this.#call, chunk);
    } else if (this.state === 'draining') {
      this.#drained += chunk.length;
      if (this.#drained > drainLimit) this.cancel(undefined);
    }
  }

  onResponseEnd(_: Flow, trailers: Fields): void {
    const isLive = this.state === 'live';
    if (this.state === 'over') return;
    this.state = 'over';
    this.clock.read();
    this.release();
    if (!isLive) return;
    const call = this.#call;
    call.end();
    call.handler.onResponseEnd?.(call, trailers);
  }

  onResponseError(flow: Flow | null, error: Error): void {
    const isLive = this.state === 'live';
    if (this.state === 'over') return;
    this.state = 'over';
    this.clock.read();
    const kind = this.#kindOf(flow, error);
    const isStale = kind !== 'other' && this.#isStale(error);
    this.#close(kind === 'other' || isStale ? 'ignored' : 'failure', error);
    if (isLive) this.#call.fail(this, this.#translate(error, kind), kind, isStale);
  }

  #head(status: number, headers: Fields): boolean {
    const now = this.clock.read();
    this.status = status;
    if (this.guarded !== undefined) this.#call.limit(this, this.#call.bodyTimeoutMs, now);
    this.settle(status >= 500 ? 'failure' : 'success');
    const retryAfterMs = status === 503 ? readRetryAfterMs(headers['retry-after']) : undefined;
    // Only of a 503: a 429 speaks of the caller, and others call through the same client.
    if (retryAfterMs !== undefined) this.leaveAlone(retryAfterMs);
    const isPassed = this.#call.head(this, status, headers);
    this.#call.told(this, undefined);
    return isPassed;
  }

  /** Settles, if the head has not, and gives the load back. */
  #close(outcome: 'failure' | 'ignored', error: Error | undefined): void {
    const isNews = this.outcome === undefined;
    this.#error = error;
    this.settle(outcome, error);
    this.release();
    if (isNews) this.#call.told(this, error);
  }

  #kindOf(flow: Flow | null, error: Error): ErrorKind {
    // Somebody below gave up, such as the body stream that broke off before it began.
    if (flow?.aborted === true) return 'other';
    return this.#call.kindOf(error, this.sent);
  }

  /** A connection that was kept open for the next request was closed just when that came: nobody's fault, and nothing was done. */
  #isStale(error: Error): boolean {
    return !this.answered && this.sent && this.guarded?.peer?.wasReused(error) === true;
  }

  #translate(error: Error, kind: ErrorKind): Error {
    const { instance } = this;
    if (kind === 'other' || instance === undefined || isTimeoutError(error)) return error;
    const options = { cause: error, instance };
    if (kind === 'network') return new UpstreamError(this.#call.name, error.message, options);
    return new TimeoutError(`${this.#call.name} (${instance}): ${error.message}`, options);
  }
}
