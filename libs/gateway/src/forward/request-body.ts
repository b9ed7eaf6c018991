import { HttpProblem } from '@mesh/problem';
import type { IncomingMessage } from 'node:http';
import { Readable } from 'node:stream';
import type { ExchangeNotes } from '../passage.ts';
import { trailerFields } from './answer-head.ts';
import { BodyPace, slowBody, type PaceRules } from './body-pace.ts';
import { sendContinue } from './expectations.ts';
import type { Watch, Watched } from './watch.ts';

/** What a body may be. */
export interface BodyLimits {
  /** Most bytes. */
  readonly bodyLimit: number;
  /** How slowly it may come; undefined: as slowly as it likes. */
  readonly pace: PaceRules | undefined;
  readonly watch: Watch;
}

/**
 * The body of an incoming request for a dispatcher: backpressure reaches the client, bytes are counted. The dispatcher may
 * destroy it without destroying the client's connection, on which the answer still has to go out.
 */
export class RequestBody extends Readable implements Watched {
  readonly #source: IncomingMessage;
  readonly #limits: BodyLimits;
  #onFault: ((problem: HttpProblem) => void) | undefined;
  readonly #notes: Pick<ExchangeNotes, 'bytesSent'> | undefined;
  #received = 0;
  #isAttached = false;
  #pace: BodyPace | undefined;

  /** @param notes where the bytes are counted, if anywhere. */
  constructor(source: IncomingMessage, limits: BodyLimits, notes?: Pick<ExchangeNotes, 'bytesSent'>) {
    super();
    this.#source = source;
    this.#limits = limits;
    this.#notes = notes;
    // The dispatcher may have stopped listening already: an error without a listener would end the process.
    this.on('error', ignore);
  }

  /** The trailer fields that came after it and may travel; there are none before its end. */
  get rawTrailers(): string[] {
    return trailerFields(this.#source.rawTrailers);
  }

  /** Sets who is told, once, what is wrong with the body: too many bytes, or too slow ones. Nothing is passed on after it. */
  onFault(listener: (problem: HttpProblem) => void): void {
    this.#onFault = listener;
  }

  check(nowMs: number): void {
    if (this.#pace?.isTooSlow(nowMs) === true) this.#fault(slowBody);
  }

  override _read(): void {
    if (!this.#isAttached) this.#attach();
    this.#pace?.resume(this.#limits.watch.nowMs);
    this.#source.resume();
  }

  override _destroy(error: Error | null, callback: (error: Error | null) => void): void {
    this.#limits.watch.remove(this);
    this.#source.off('data', this.#onData).off('end', this.#onEnd);
    // What is left of the source must flow by, or the next request on its connection would never be read.
    this.#source.resume();
    callback(error);
  }

  #attach(): void {
    this.#isAttached = true;
    const { pace, watch } = this.#limits;
    if (pace !== undefined) {
      watch.add(this);
      this.#pace = new BodyPace(pace, watch.nowMs);
    }
    sendContinue(this.#source);
    this.#source.on('data', this.#onData).on('end', this.#onEnd);
    // These two stay until the source is closed, for the same reason.
    this.#source.on('error', this.#onBroken).on('close', this.#onBroken);
    if (this.#source.destroyed) this.#onBroken();
  }

  readonly #onData = (chunk: Buffer): void => {
    this.#received += chunk.length;
    if (this.#notes !== undefined) this.#notes.bytesSent += chunk.length;
    this.#pace?.add(chunk.length, this.#limits.watch.nowMs);
    if (this.#received > this.#limits.bodyLimit) this.#fault(tooLarge(this.#limits.bodyLimit));
    else if (!this.push(chunk)) {
      this.#pace?.pause(this.#limits.watch.nowMs);
      this.#source.pause();
    }
  };

  #fault(problem: HttpProblem): void {
    this.#source.pause();
    this.#limits.watch.remove(this);
    const tell = this.#onFault;
    this.#onFault = undefined;
    tell?.(problem);
  }

  readonly #onEnd = (): void => {
    this.#limits.watch.remove(this);
    this.push(null);
  };

  readonly #onBroken = (error?: Error): void => {
    if (!this.#source.readableEnded) this.destroy(error ?? new Error('the client went away'));
  };
}

/** The problem of a body of more than `limit` bytes. */
export function tooLarge(limit: number): HttpProblem {
  return new HttpProblem('ERR_BODY_TOO_LARGE', `The request body may have at most ${limit} bytes.`);
}

function ignore(): void {
  // The exchange hears of it by the close of the reply.
}

const lingerMs = 1_000;
const lingerBytes = 64 * 1024 * 1024;

/**
 * Reads and drops what is left of a request that was answered early, so that the client can read its answer and use the
 * connection again (RFC 9112, 9.6). One that pauses for a second, or goes on beyond 64 MiB, is cut off.
 */
export function discardRest(request: IncomingMessage): void {
  if (request.complete || request.destroyed) return;
  let left = lingerBytes;
  const cut = (): void => {
    request.destroy();
  };
  const timer = setTimeout(cut, lingerMs).unref();
  request.on('data', (chunk: Buffer) => {
    timer.refresh();
    left -= chunk.length;
    if (left < 0) cut();
  });
  request.once('close', () => {
    clearTimeout(timer);
  });
  request.resume();
}
