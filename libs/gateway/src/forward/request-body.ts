import type { IncomingMessage } from 'node:http';
import { Readable } from 'node:stream';
import type { ExchangeNotes } from '../passage.ts';
import { sendContinue } from './expectations.ts';

/** What a body may be. */
export interface BodyLimits {
  /** Most bytes. */
  readonly limit: number;
  /** Where the bytes are counted, if anywhere. */
  readonly notes?: Pick<ExchangeNotes, 'bytesSent'> | undefined;
}

/**
 * The body of an incoming request for a dispatcher: backpressure reaches the client, bytes are counted. The dispatcher may
 * destroy it without destroying the client's connection, on which the answer still has to go out.
 */
export class RequestBody extends Readable {
  readonly #source: IncomingMessage;
  readonly #limit: number;
  readonly #notes: Pick<ExchangeNotes, 'bytesSent'> | undefined;
  #tooLarge: (() => void) | undefined;
  #received = 0;
  #isAttached = false;

  constructor(source: IncomingMessage, { limit, notes }: BodyLimits) {
    super();
    this.#source = source;
    this.#limit = limit;
    this.#notes = notes;
    // The dispatcher may have stopped listening already: an error without a listener would end the process.
    this.on('error', ignore);
  }

  /** Sets who is told, once, when more than the limit has come; nothing is passed on after it. */
  onTooLarge(listener: () => void): void {
    this.#tooLarge = listener;
  }

  override _read(): void {
    if (!this.#isAttached) this.#attach();
    this.#source.resume();
  }

  override _destroy(error: Error | null, callback: (error: Error | null) => void): void {
    this.#source.off('data', this.#onData).off('end', this.#onEnd);
    // What is left of the source must flow by, or the next request on its connection would never be read.
    this.#source.resume();
    callback(error);
  }

  #attach(): void {
    this.#isAttached = true;
    sendContinue(this.#source);
    this.#source.on('data', this.#onData).on('end', this.#onEnd);
    // These two stay until the source is closed, for the same reason.
    this.#source.on('error', this.#onBroken).on('close', this.#onBroken);
    if (this.#source.destroyed) this.#onBroken();
  }

  readonly #onData = (chunk: Buffer): void => {
    this.#received += chunk.length;
    if (this.#notes !== undefined) this.#notes.bytesSent += chunk.length;
    if (this.#received > this.#limit) {
      this.#source.pause();
      const tell = this.#tooLarge;
      this.#tooLarge = undefined;
      tell?.();
    } else if (!this.push(chunk)) {
      this.#source.pause();
    }
  };

  readonly #onEnd = (): void => {
    this.push(null);
  };

  readonly #onBroken = (error?: Error): void => {
    if (!this.#source.readableEnded) this.destroy(error ?? new Error('the client went away'));
  };
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
