import type { AnswerSink, Flow, Forward, Passage } from '../passage.ts';
import { passageOf, type PassageParts } from './passage.ts';

/** Header fields by name. */
export type Fields = Readonly<Record<string, string | readonly string[]>>;

/** Time that moves when it is told to; the same for the wall. */
export class ManualTime {
  time = Date.UTC(2026, 0, 1);
  now(): number {
    return this.time;
  }
  pass(seconds: number): void {
    this.time += seconds * 1_000;
  }
  /** As an HTTP date, so many seconds from now. */
  date(seconds = 0): string {
    return new Date(this.time + seconds * 1_000).toUTCString();
  }
}

/** What a client sends. */
export interface Sent extends Omit<PassageParts, 'headers'> {
  readonly headers?: Fields;
}

/** A passage with what a cache reads. */
export function sentPassage({ headers, ...parts }: Sent = {}): Passage {
  return passageOf({ url: '/a', ...parts, headers: pairsOf({ Host: 'shop.example', ...headers }) });
}

/** What a client got. */
export class Client implements AnswerSink {
  status = 0;
  raw: readonly string[] = [];
  chunks: string[] = [];
  interim: number[] = [];
  trailers: readonly string[] = [];
  error: Error | undefined;
  isEnded = false;
  /** It asks for a pause at each chunk. */
  isSlow = false;
  flow: Flow | undefined;

  get body(): string {
    return this.chunks.join('');
  }
  /** The values of a field, or undefined. */
  header(name: string): string | undefined {
    const values = this.raw.filter((_, at) => at % 2 === 1 && this.raw[at - 1]?.toLowerCase() === name);
    return values.length === 0 ? undefined : values.join(', ');
  }
  get cacheStatus(): string {
    return this.header('cache-status') ?? '';
  }
  inform(status: number): void {
    this.#expectOpen();
    this.interim.push(status);
  }
  head(status: number, _message: string, raw: readonly string[]): void {
    this.#expectOpen();
    if (this.status !== 0) throw new Error('two heads');
    this.status = status;
    this.raw = raw;
  }
  data(chunk: Buffer): boolean {
    this.#expectOpen();
    if (this.status === 0) throw new Error('data before the head');
    this.chunks.push(chunk.toString('latin1'));
    return !this.isSlow;
  }
  end(trailers: readonly string[]): void {
    this.#expectOpen();
    if (this.status === 0) throw new Error('end before the head');
    this.trailers = trailers;
    this.isEnded = true;
  }
  fail(error: Error): void {
    this.#expectOpen();
    this.error = error;
  }
  #expectOpen(): void {
    if (this.isEnded || this.error !== undefined) throw new Error('heard after the end');
  }
}

/** What an instance answers with. */
export interface Reply {
  readonly status?: number;
  readonly headers?: Fields;
  readonly body?: string;
}

/** One request at the instance, to be answered by hand. */
export class Exchange {
  readonly passage: Passage;
  readonly sink: AnswerSink;
  abortedFor: Error | undefined;
  isPaused = false;

  constructor(passage: Passage, sink: AnswerSink) {
    this.passage = passage;
    this.sink = sink;
  }
  head({ status = 200, headers = {} }: Reply): void {
    this.sink.head(status, 'text', pairsOf(headers));
  }
  data(text: string): void {
    if (!this.sink.data(Buffer.from(text, 'latin1'))) this.isPaused = true;
  }
  answer(reply: Reply): void {
    this.head(reply);
    if (reply.body !== undefined && this.abortedFor === undefined) this.data(reply.body);
    if (this.abortedFor === undefined) this.sink.end([]);
  }
  /** A field that the cache added to the request. */
  added(name: string): string | undefined {
    const at = this.passage.requestHeaders.findIndex((one) => one.toLowerCase() === name);
    return at === -1 ? undefined : this.passage.requestHeaders[at + 1];
  }
}

/** Instances behind a cache: they answer at once with `reply`, or wait to be answered by hand. */
export class Instances {
  readonly exchanges: Exchange[] = [];
  reply: Reply | ((exchange: Exchange) => Reply) | undefined;

  get last(): Exchange {
    const last = this.exchanges.at(-1);
    if (last === undefined) throw new Error('nobody asked');
    return last;
  }
  readonly forward: Forward = (passage, sink) => {
    const exchange = new Exchange(passage, sink);
    this.exchanges.push(exchange);
    const { reply } = this;
    if (reply !== undefined) exchange.answer(typeof reply === 'function' ? reply(exchange) : reply);
    return {
      abort: (reason) => {
        exchange.abortedFor = reason;
      },
      resume: () => {
        exchange.isPaused = false;
      },
    };
  };
}

/** Sends a request through a forward. */
export function send(forward: Forward, sent: Sent = {}, client = new Client()): Client {
  client.flow = forward(sentPassage(sent), client);
  return client;
}

function pairsOf(headers: Fields): string[] {
  return Object.entries(headers).flatMap(([name, values]) =>
    [values].flat().flatMap((value) => [name, value]),
  );
}
