import type { Socket } from 'node:net';
import { errors } from 'undici';
import type { Fields } from '../transport.ts';
import { fieldsOf, type AnswerHead } from './answer-head.ts';
import { AnswerReader, type AnswerListener } from './answer-reader.ts';
import { BodyWriter } from './body-writer.ts';
import type { Exchange } from './exchange.ts';
import type { FieldLines } from './field-lines.ts';
import { malformed } from './malformed.ts';
import { openSocket, type Destination } from './open-socket.ts';
import { ReadBuffer } from './read-buffer.ts';
import { readBody } from './request-body.ts';
import { isUpgrade, requestHead } from './request-head.ts';

/** Whoever keeps connections. */
export interface Keeper {
  /** Where all connections read into. */
  readonly buffer: Buffer;
  /** What answers from there look like. */
  readonly lines: FieldLines;
  onOpen(connection: Connection): void;
  /** Its answer is whole, and it can be used again. */
  onFree(connection: Connection): void;
  /** It is no more. `error` when it never opened. */
  onGone(connection: Connection, error: Error | undefined): void;
  /** This error ended an exchange on a connection that had served others before. */
  onBroken(error: Error): void;
  /** A session of TLS to begin the next connection with. */
  onSession(session: Buffer): void;
}

/** A body up to this size is written as one text with its head: one write. */
const joinedBytes = 16 * 1024;
/** As long as the peer says nothing: below the 5 s of Node's own server. */
const usualIdleSeconds = 4;
const noFields: Fields = Object.freeze({});

/**
 * One connection, one exchange at a time.
 *
 * ```
 *   connecting --> free --run--> busy --answer whole--> free
 *       |            |            '--error, abort, half an answer--> gone
 *       |            '--any byte, closed by the peer---------------> gone
 *       '--refused, too slow--> gone
 * ```
 *
 * It reads without the machinery of streams.
 */
export class Connection implements AnswerListener {
  /** The exchange that it is made for, if it is for one, until it is open. */
  meant: Exchange | undefined;
  /** When it became free, on the keeper's clock. */
  freeSince = 0;
  /** How long it may be free, in seconds. */
  idleSeconds = usualIdleSeconds;
  /** Exchanges that have begun on it. */
  served = 0;
  isGone = false;
  readonly #keeper: Keeper;
  readonly #authority: string;
  readonly #socket: Socket;
  readonly #reader: AnswerReader;
  #isOpen = false;
  #connectTimer: NodeJS.Timeout | undefined;
  #exchange: Exchange | undefined;
  #writer: BodyWriter | undefined;
  /** Whether the connection lasts beyond the answer, as far as is known. */
  #isKept = true;
  /** Trailers of the answer, once it is whole. */
  #ended: string[] | undefined;
  readonly #buffer: ReadBuffer;
  #hasAnswered = false;
  #isResting = false;
  /** The head with which the peer has agreed to speak something else. */
  #switched: AnswerHead | undefined;

  constructor(keeper: Keeper, destination: Destination, meant: Exchange | undefined) {
    const { authority, tls, timeoutMs } = destination;
    this.#keeper = keeper;
    this.#reader = new AnswerReader(this, keeper.lines);
    this.#authority = authority;
    this.meant = meant;
    // A socket that is to be given away has to be a stream.
    const isGivenAway = meant !== undefined && isUpgrade(meant.request);
    // TLS decrypts when it likes, so its connections share nothing.
    this.#buffer = new ReadBuffer(tls === undefined || isGivenAway ? keeper.buffer : undefined);
    const onread = isGivenAway ? undefined : { buffer: this.#buffer.next, callback: this.#onRead };
    this.#socket = openSocket(destination, onread)
      .once(tls === undefined ? 'connect' : 'secureConnect', this.#onConnect)
      .on('error', this.#onError)
      .on('end', this.#onEnd)
      .on('close', this.#onClose)
      .on('drain', this.#onDrain)
      .on('session', this.#onSession);
    if (isGivenAway) this.#socket.on('data', this.#onStreamed);
    if (timeoutMs > 0) {
      this.#connectTimer = setTimeout(() => {
        this.#lose(new errors.ConnectTimeoutError(`no connection to ${authority} within ${timeoutMs} ms`));
      }, timeoutMs);
    }
  }

  /**
   * Sends a request. False when it came to nothing before a byte was written, by an abort or because it cannot be written: then the
   * connection is as free as before.
   */
  run(exchange: Exchange): boolean {
    const { request, sink } = exchange;
    try {
      sink.onRequestStart(exchange, null);
      if (exchange.isOver) return false;
      const body = readBody(request.body);
      const head = requestHead(request, body, this.#authority);
      this.#begin(exchange, head.isLast || isUpgrade(request));
      const { bytes, stream } = body;
      if (stream !== undefined) {
        this.#socket.write(head.text, 'latin1');
        const onDone = this.#onBody;
        this.#writer = new BodyWriter(this.#socket, exchange, {
          source: stream,
          length: head.length,
          onDone,
        });
        return true;
      }
      if (bytes === undefined) this.#socket.write(head.text, 'latin1');
      else this.#writeWith(head.text, bytes);
      if (bytes !== undefined) sink.onBodySent(bytes);
      sink.onRequestSent();
    } catch (error) {
      exchange.fail(error as Error);
    }
    return this.#exchange === exchange || this.isGone;
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    if (!this.isGone) this.#socket.resume();
  }

  /** Nobody asks for it now: it may close, and the process may end. */
  rest(): void {
    this.#isResting = true;
    this.#socket.unref();
  }

  /** @param error what whoever waits for an answer is told. */
  destroy(error?: Error): void {
    this.#lose(error);
  }

  onHead(head: AnswerHead): void {
    const exchange = this.#exchange;
    if (exchange === undefined) return;
    const { status, message, rawHeaders } = head;
    const { sink } = exchange;
    exchange.rawHeaders = rawHeaders;
    if (this.#reader.hasSwitched) {
      if (!isUpgrade(exchange.request)) throw malformed('a switch that nobody asked for');
      this.#switched = head;
      return;
    }
    // 100 answers an expectation, and there was none.
    if (status === 100) return;
    if (status >= 200) {
      if (!head.isKept) this.#isKept = false;
      if (head.keepSeconds !== undefined) this.idleSeconds = Math.min(usualIdleSeconds, head.keepSeconds - 1);
    }
    // Who reads the raw fields is spared the object; what policies look at is in answers that went wrong.
    const isAsked = sink.readsRawHeaders !== true || status >= 400;
    sink.onResponseStart(exchange, status, isAsked ? fieldsOf(rawHeaders) : noFields, message);
  }

  onData(bytes: Buffer, at: number, end: number): void {
    const exchange = this.#exchange;
    if (exchange === undefined) return;
    const isOurs = bytes === this.#buffer.current;
    const piece = isOurs ? this.#buffer.piece(at, end) : bytes.subarray(at, end);
    exchange.sink.onResponseData(exchange, piece);
  }

  onEnd(rawTrailers: string[]): void {
    this.#ended = rawTrailers;
  }

  #begin(exchange: Exchange, isLast: boolean): void {
    if (this.#isResting) this.#socket.ref();
    this.#isResting = false;
    this.served++;
    this.#exchange = exchange;
    exchange.connection = this;
    this.#isKept = !isLast;
    this.#hasAnswered = false;
    this.#ended = undefined;
    this.#reader.begin(exchange.request.method);
  }

  #writeWith(head: string, body: Buffer): void {
    if (body.length <= joinedBytes) {
      this.#socket.write(head + body.toString('latin1'), 'latin1');
      return;
    }
    this.#socket.cork();
    this.#socket.write(head, 'latin1');
    this.#socket.write(body);
    this.#socket.uncork();
  }

  readonly #onRead = (size: number): boolean => {
    const buffer = this.#buffer;
    this.#take(buffer.current, size);
    buffer.turn(this.#exchange === undefined ? 0 : this.#reader.left);
    return true;
  };

  readonly #onStreamed = (chunk: Buffer): void => {
    const exchange = this.#exchange;
    if (exchange !== undefined) this.#take(chunk, chunk.length);
    else this.destroy();
  };

  #take(bytes: Buffer, size: number): void {
    const exchange = this.#exchange;
    if (exchange === undefined) {
      // What nobody asked for must not answer the next request.
      this.destroy();
      return;
    }
    try {
      if (!this.#hasAnswered) {
        this.#hasAnswered = true;
        exchange.sink.onResponseStarted();
      }
      const read = this.#reader.read(bytes, size);
      if (this.#switched !== undefined) this.#giveAway(exchange, this.#switched, bytes.subarray(read, size));
      else if (this.#ended !== undefined) this.#finish(exchange, this.#ended, read === size);
    } catch (error) {
      exchange.fail(error as Error);
      this.destroy();
    }
  }

  #finish(exchange: Exchange, rawTrailers: string[], isExact: boolean): void {
    this.#exchange = undefined;
    const isSent = this.#writer === undefined;
    const isFree = isSent && isExact && this.#isKept && this.idleSeconds > 0 && !this.isGone;
    if (!isFree) this.destroy();
    try {
      exchange.end(rawTrailers);
    } finally {
      if (isFree) this.#free(exchange);
    }
  }

  #free({ paused }: Exchange): void {
    if (paused) this.#socket.resume();
    this.#keeper.onFree(this);
  }

  /** From here on the socket is the caller's. */
  #giveAway(exchange: Exchange, { status, rawHeaders }: AnswerHead, rest: Buffer): void {
    const socket = this.#socket;
    this.#exchange = undefined;
    this.isGone = true;
    socket
      .off('error', this.#onError)
      .off('end', this.#onEnd)
      .off('close', this.#onClose)
      .off('drain', this.#onDrain)
      .off('session', this.#onSession)
      .off('data', this.#onStreamed);
    // As if nobody had listened to it yet.
    socket.readableFlowing = null;
    if (rest.length > 0) socket.unshift(rest);
    this.#keeper.onGone(this, undefined);
    exchange.switch(status, fieldsOf(rawHeaders), socket);
  }

  readonly #onBody = (error: Error | undefined): void => {
    this.#writer = undefined;
    const exchange = this.#exchange;
    if (exchange === undefined) return;
    // The body is the caller's: what is wrong with it is no fault of the instance.
    if (error !== undefined) exchange.abort(error);
    else exchange.sink.onRequestSent();
  };

  readonly #onConnect = (): void => {
    clearTimeout(this.#connectTimer);
    this.#isOpen = true;
    this.#keeper.onOpen(this);
  };

  readonly #onDrain = (): void => {
    this.#writer?.resume();
  };

  readonly #onSession = (session: Buffer): void => {
    this.#keeper.onSession(session);
  };

  readonly #onError = (error: Error): void => {
    this.#lose(error);
  };

  readonly #onEnd = (): void => {
    const exchange = this.#exchange;
    try {
      if (this.#reader.end() && exchange !== undefined && this.#ended !== undefined) {
        this.#finish(exchange, this.#ended, false);
      }
    } catch (error) {
      exchange?.fail(error as Error);
    }
    this.#lose(this.#closed());
  };

  readonly #onClose = (): void => {
    this.#lose(this.#closed());
  };

  #closed(): Error {
    return new errors.SocketError('other side closed');
  }

  /** The end of it, once. Whoever waits for an answer hears `error`. */
  #lose(error: Error | undefined): void {
    if (this.isGone) return;
    this.isGone = true;
    clearTimeout(this.#connectTimer);
    const exchange = this.#exchange;
    this.#exchange = undefined;
    this.#writer?.stop();
    this.#writer = undefined;
    this.#socket.destroy();
    this.#keeper.onGone(this, this.#isOpen ? undefined : (error ?? this.#closed()));
    if (exchange !== undefined && error !== undefined) {
      if (this.served > 1) this.#keeper.onBroken(error);
      exchange.fail(error);
    }
  }
}
