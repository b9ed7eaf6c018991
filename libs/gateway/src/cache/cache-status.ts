import type { RawHeaders } from '../forward/hop-headers.ts';
import type { AnswerSink } from '../passage.ts';

/** Why a request went on to an instance (RFC 9211, 2.2). */
export type ForwardReason = 'bypass' | 'method' | 'uri-miss' | 'vary-miss' | 'stale' | 'request';

/** Passes an answer on with one field more. */
export class MarkedSink implements AnswerSink {
  readonly #sink: AnswerSink;
  readonly #status: string;
  readonly #onHead: ((status: number, rawHeaders: RawHeaders) => void) | undefined;

  constructor(sink: AnswerSink, status: string, onHead?: (status: number, rawHeaders: RawHeaders) => void) {
    this.#sink = sink;
    this.#status = status;
    this.#onHead = onHead;
  }

  inform(status: number, rawHeaders: RawHeaders): void {
    this.#sink.inform(status, rawHeaders);
  }

  head(status: number, statusMessage: string, rawHeaders: RawHeaders): void {
    this.#onHead?.(status, rawHeaders);
    this.#sink.head(status, statusMessage, [...rawHeaders, 'Cache-Status', this.#status]);
  }

  data(chunk: Buffer): boolean {
    return this.#sink.data(chunk);
  }

  end(rawTrailers: RawHeaders): void {
    this.#sink.end(rawTrailers);
  }

  fail(error: Error): void {
    this.#sink.fail(error);
  }
}
