import { chunked, readAnswerHead, readTrailers, type AnswerHead } from './answer-head.ts';
import { ChunkedBody } from './chunked-body.ts';
import { FieldLines } from './field-lines.ts';
import { HeadText } from './head-text.ts';
import { malformed } from './malformed.ts';

/** Cookies and policies outgrow the 16 KiB that are usual. */
const maxHeadBytes = 64 * 1024;
/** Most interim answers (1xx) before the final one. */
const maxInterims = 32;
const beginning = 'HTTP/1.';

/** Hears what an {@link AnswerReader} reads. */
export interface AnswerListener {
  /** A head, interim ones (1xx) included. */
  onHead(head: AnswerHead): void;
  /** Bytes of the body: a view, good for as long as the call. */
  onData(bytes: Buffer, at: number, end: number): void;
  /** The answer is whole. */
  onEnd(rawTrailers: string[]): void;
}

const noTrailers: string[] = [];

/**
 * Reads the answers on one connection, one after the other.
 *
 * ```
 *   idle --begin--> head --1xx--> head
 *                    |--no body, 101---------------> idle
 *                    '--body--> sized | chunks | rest --its end--> idle
 * ```
 */
export class AnswerReader {
  readonly #listener: AnswerListener;
  readonly #head = new HeadText(maxHeadBytes);
  readonly #lines: FieldLines;
  readonly #take = (bytes: Buffer, at: number, end: number): void => {
    this.#listener.onData(bytes, at, end);
  };
  #state: 'idle' | 'head' | 'sized' | 'chunks' | 'rest' = 'idle';
  #method = '';
  #left = 0;
  /** Whether what follows on the connection is another protocol. */
  hasSwitched = false;
  #interims = 0;
  #chunks: ChunkedBody | undefined;

  /** @param lines what was read before, from the same peer. */
  constructor(listener: AnswerListener, lines: FieldLines) {
    this.#listener = listener;
    this.#lines = lines;
  }

  /** At least so many bytes of the body are still to come. */
  get left(): number {
    return this.#state === 'chunks' ? (this.#chunks?.left ?? 0) : this.#left;
  }

  /** What comes next is the answer to a request with this method. */
  begin(method: string): void {
    this.#state = 'head';
    this.#method = method;
    this.hasSwitched = false;
    this.#interims = 0;
    this.#left = 0;
    this.#head.take();
  }

  /**
   * Reads `end` bytes; gives how many of them belong to the answer.
   *
   * @throws HTTPParserError, HeadersOverflowError, and what the listener throws.
   */
  read(bytes: Buffer, end: number): number {
    let at = 0;
    while (at < end && this.#state !== 'idle') at = this.#step(bytes, at, end);
    return at;
  }

  /** The connection has ended. Whether that was the end of the answer. */
  end(): boolean {
    if (this.#state !== 'rest') return false;
    this.#finish(noTrailers);
    return true;
  }

  #step(bytes: Buffer, at: number, end: number): number {
    if (this.#state === 'head') return this.#readHead(bytes, at, end);
    if (this.#state === 'chunks') return this.#readChunks(bytes, at, end);
    const upTo = Math.min(end, at + this.#left);
    this.#left -= upTo - at;
    this.#listener.onData(bytes, at, upTo);
    if (this.#left === 0) this.#finish(noTrailers);
    return upTo;
  }

  #readHead(bytes: Buffer, at: number, end: number): number {
    const upTo = this.#head.read(bytes, at, end);
    if (!this.#head.isWhole) {
      // Who does not speak HTTP at all is told from the first bytes, not after the last time limit.
      const { text } = this.#head;
      if (!text.startsWith(beginning) && !beginning.startsWith(text)) throw malformed('no HTTP/1');
      return upTo;
    }
    const head = readAnswerHead(this.#head.take(), this.#method, this.#lines);
    this.#follow(head);
    this.#listener.onHead(head);
    if (this.#state === 'idle' && !this.hasSwitched) this.#listener.onEnd(noTrailers);
    return upTo;
  }

  /** Sets what comes after a head. */
  #follow({ status, bodyLength }: AnswerHead): void {
    this.hasSwitched = status === 101 || (this.#method === 'CONNECT' && status >= 200);
    if (this.hasSwitched) this.#state = 'idle';
    else if (status < 200) {
      if (++this.#interims > maxInterims) throw malformed('too many interim answers');
    } else if (bodyLength === chunked) {
      this.#state = 'chunks';
      this.#chunks = new ChunkedBody();
    } else {
      this.#left = bodyLength;
      this.#state = bodyLength === 0 ? 'idle' : bodyLength === Infinity ? 'rest' : 'sized';
    }
  }

  #readChunks(bytes: Buffer, at: number, end: number): number {
    const chunks = this.#chunks;
    if (chunks === undefined) return end;
    const upTo = chunks.read(bytes, at, end, this.#take);
    if (chunks.trailers !== undefined) this.#finish(readTrailers(chunks.trailers, new FieldLines()));
    return upTo;
  }

  #finish(rawTrailers: string[]): void {
    this.#state = 'idle';
    this.#chunks = undefined;
    this.#listener.onEnd(rawTrailers);
  }
}
