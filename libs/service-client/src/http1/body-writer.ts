import type { Socket } from 'node:net';
import type { Readable } from 'node:stream';
import { errors } from 'undici';
import type { Exchange } from './exchange.ts';
import { fieldKind, isFieldValue } from './field-names.ts';

/** What a {@link BodyWriter} writes. */
export interface BodyWriting {
  /** Its `rawTrailers`, if it has any when it ends (as Node's incoming messages do), are sent after the last chunk. */
  readonly source: Readable & { readonly rawTrailers?: readonly string[] };
  /** What was announced, in bytes; undefined: it goes in chunks. */
  readonly length: number | undefined;
  /** Called once: the body has been written, or why it cannot be. */
  readonly onDone: (error: Error | undefined) => void;
}

/** Writes a streamed body to a connection, as fast as that takes it. */
export class BodyWriter {
  readonly #socket: Socket;
  readonly #exchange: Exchange;
  readonly #source: BodyWriting['source'];
  readonly #length: number | undefined;
  readonly #onDone: BodyWriting['onDone'];
  #written = 0;
  #isOver = false;

  constructor(socket: Socket, exchange: Exchange, { source, length, onDone }: BodyWriting) {
    this.#socket = socket;
    this.#exchange = exchange;
    this.#source = source;
    this.#length = length;
    this.#onDone = onDone;
    source
      .on('error', this.#onError)
      .on('end', this.#onEnd)
      .on('close', this.#onClose)
      .on('data', this.#onData);
    if (source.errored !== null)
      queueMicrotask(() => {
        this.#onError(source.errored);
      });
    else if (source.readableEnded) queueMicrotask(this.#onEnd);
    else if (source.destroyed) queueMicrotask(this.#onClose);
  }

  /** The connection takes more. */
  resume(): void {
    if (!this.#isOver) this.#source.resume();
  }

  /** Nobody wants the rest. */
  stop(): void {
    if (this.#isOver) return;
    this.#release();
    // What it still has to say concerns nobody; without a listener it would end the process.
    this.#source.on('error', ignore).destroy();
  }

  readonly #onData = (piece: Buffer | string): void => {
    const chunk = typeof piece === 'string' ? Buffer.from(piece) : piece;
    if (chunk.length === 0) return;
    this.#written += chunk.length;
    if (this.#length !== undefined && this.#written > this.#length) {
      this.#end(new errors.RequestContentLengthMismatchError());
      return;
    }
    if (!this.#write(chunk)) this.#source.pause();
    this.#exchange.sink.onBodySent(chunk);
  };

  #write(chunk: Buffer): boolean {
    const socket = this.#socket;
    if (this.#length !== undefined) return socket.write(chunk);
    socket.cork();
    socket.write(`${chunk.length.toString(16)}\r\n`, 'latin1');
    socket.write(chunk);
    const takesMore = socket.write('\r\n', 'latin1');
    socket.uncork();
    return takesMore;
  }

  readonly #onEnd = (): void => {
    if (this.#length === undefined)
      this.#socket.write(`0\r\n${trailerLines(this.#source.rawTrailers)}\r\n`, 'latin1');
    else if (this.#written !== this.#length) {
      this.#end(new errors.RequestContentLengthMismatchError());
      return;
    }
    this.#end(undefined);
  };

  readonly #onClose = (): void => {
    this.#end(new errors.RequestAbortedError());
  };

  readonly #onError = (error: Error | null): void => {
    this.#end(error ?? new errors.RequestAbortedError());
  };

  #end(error: Error | undefined): void {
    if (this.#isOver) return;
    this.#release();
    if (error !== undefined) this.#source.on('error', ignore).destroy();
    this.#onDone(error);
  }

  #release(): void {
    this.#isOver = true;
    this.#source
      .off('data', this.#onData)
      .off('end', this.#onEnd)
      .off('close', this.#onClose)
      .off('error', this.#onError);
  }
}

/** The trailer fields as lines; one that frames a message, or is no field, is left out (RFC 9110, 6.5.1). */
function trailerLines(raw: readonly string[] = []): string {
  let lines = '';
  for (let at = 0; at + 1 < raw.length; at += 2) {
    const name = raw[at] ?? '';
    const value = raw[at + 1] ?? '';
    if (fieldKind(name) === 'plain' && isFieldValue(value)) lines += `${name}: ${value}\r\n`;
  }
  return lines;
}

function ignore(): void {
  // Nobody is left to tell.
}
