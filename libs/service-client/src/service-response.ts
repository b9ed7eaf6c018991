import type { Dispatcher } from 'undici';
import type { CallContext } from './call-context.ts';
import { toError } from './error-kind.ts';
import { UpstreamError } from './errors.ts';
import { readRetryAfterMs } from './retry-policy.ts';
import type { Fields } from './transport.ts';

/** Where a response comes from and how much of it may be held in memory. */
export interface ResponseOrigin {
  readonly service: string;
  readonly context: CallContext;
  readonly maxBodyBytes: number;
}

/**
 * The answer of an instance, whatever its status. Read its body to the end, or `dump()` it: an answer that is left unread
 * keeps its connection and counts as load of the instance.
 */
export class ServiceResponse {
  readonly status: number;
  readonly headers: Fields;
  /** Id of the instance that answered. */
  readonly instance: string;
  /** Instances that were asked, repetitions included; 1 = no retry. */
  readonly attempts: number;
  /** The body as a stream. */
  readonly body: Dispatcher.ResponseData['body'];
  readonly #service: string;
  readonly #maxBodyBytes: number;

  constructor(data: Dispatcher.ResponseData, { service, context, maxBodyBytes }: ResponseOrigin) {
    this.status = data.statusCode;
    this.headers = data.headers;
    this.instance = context.instance ?? '';
    this.attempts = context.attempts;
    this.body = data.body;
    this.#service = service;
    this.#maxBodyBytes = maxBodyBytes;
  }

  /** The body as text (UTF-8). @throws UpstreamError when it is longer than the client's `maxBodyBytes`. */
  async text(): Promise<string> {
    // undici holds an answer to its Content-Length, so one that says it is short can be read in one go.
    if (Number(this.headers['content-length']) <= this.#maxBodyBytes) return this.body.text();
    const chunks: Buffer[] = [];
    let length = 0;
    for await (const chunk of this.body as AsyncIterable<Buffer>) {
      length += chunk.length;
      // Leaving the loop destroys the stream, and with it the connection.
      if (length > this.#maxBodyBytes) throw this.#bad(`the body is longer than ${this.#maxBodyBytes} bytes`);
      chunks.push(chunk);
    }
    return new TextDecoder().decode(Buffer.concat(chunks, length));
  }

  /** The body as JSON, undefined when it is empty. @throws UpstreamError when it is not JSON or too long. */
  async json<T = unknown>(): Promise<T> {
    const text = await this.text();
    if (text === '') return undefined as T;
    try {
      return JSON.parse(text) as T;
    } catch (error) {
      throw this.#bad('the body is not JSON', error);
    }
  }

  /** Reads what is left of the body and forgets it; a long one is cut off with its connection. */
  async dump(): Promise<void> {
    await this.body.dump();
  }

  /** The answer as an error, with its problem details when the body is JSON. */
  async toError(): Promise<UpstreamError> {
    const problem = await this.json().catch(() => undefined);
    const { detail } = (problem ?? {}) as { detail?: unknown };
    const message = `answered ${this.status}${typeof detail === 'string' ? `: ${detail}` : ''}`;
    const retryAfterMs = readRetryAfterMs(this.headers['retry-after']);
    const { status, instance } = this;
    return new UpstreamError(this.#service, message, { status, instance, problem, retryAfterMs });
  }

  #bad(detail: string, cause?: unknown): UpstreamError {
    const { status, instance } = this;
    return new UpstreamError(this.#service, detail, {
      ...{ status, instance },
      ...(cause !== undefined && { cause: toError(cause) }),
    });
  }
}
