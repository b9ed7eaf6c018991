import { request as httpRequest, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AnswerSink, Flow, Forward, Passage } from '../passage.ts';
import { readTarget } from '../routing/request-target.ts';

const gone = new Error('the client went away');

/** The smallest sink over a response: a small body waits for the end, so that it goes out in one write with its head. */
export class ResponseSink implements AnswerSink {
  readonly #response: ServerResponse;
  #flow: Flow | undefined;
  #held: Buffer | undefined;
  #isStreaming = false;

  constructor(response: ServerResponse) {
    this.#response = response;
    response.on('close', () => {
      if (!response.writableFinished) this.#flow?.abort(gone);
    });
  }
  follow(flow: Flow): void {
    this.#flow = flow;
    // A head without a body in the same turn goes out by itself.
    if (!this.#response.writableEnded)
      setImmediate(() => {
        this.#release();
      });
  }
  inform(): void {
    // Not of interest here.
  }
  head(status: number, statusMessage: string, rawHeaders: readonly string[]): void {
    this.#response.writeHead(status, statusMessage, rawHeaders as string[]);
  }
  data(chunk: Buffer): boolean {
    if (!this.#isStreaming && this.#held === undefined) {
      this.#held = chunk;
      return true;
    }
    this.#release();
    return this.#write(chunk);
  }
  end(): void {
    if (this.#held === undefined) this.#response.end();
    else this.#response.end(this.#held.toString('latin1'), 'latin1');
    this.#held = undefined;
  }
  fail(): void {
    this.#response.destroy();
  }
  #release(): void {
    this.#isStreaming = true;
    const held = this.#held;
    this.#held = undefined;
    if (held !== undefined && !this.#response.destroyed) this.#write(held);
  }
  #write(chunk: Buffer): boolean {
    if (this.#response.write(chunk)) return true;
    this.#response.once('drain', () => this.#flow?.resume());
    return false;
  }
}

const none: never[] = [];
const nothing = (): void => undefined;

/** Answers Node's requests through a forward, with nothing between that a gateway would add. */
export function through(forward: Forward): (request: IncomingMessage, response: ServerResponse) => void {
  return (raw, response) => {
    const url = raw.url ?? '/';
    const passage = {
      request: { raw },
      reply: { raw: response },
      routeId: 'r',
      service: 's',
      target: readTarget(url),
      path: url,
      clientAddress: '127.0.0.1',
      identity: undefined,
      requestHeaders: none,
      answerHeaders: none,
      onEnd: nothing,
    } as unknown as Passage;
    const sink = new ResponseSink(response);
    sink.follow(forward(passage, sink));
  };
}

/** The plainest way to an instance on this machine. */
export function toPort(port: number): Forward {
  return ({ request, path, requestHeaders, withheldHeaders = [] }, sink) => {
    const headers: string[] = [];
    const { rawHeaders } = request.raw;
    for (let at = 0; at + 1 < rawHeaders.length; at += 2) {
      if (!withheldHeaders.includes((rawHeaders[at] ?? '').toLowerCase()))
        headers.push(rawHeaders[at] ?? '', rawHeaders[at + 1] ?? '');
    }
    const asked = httpRequest({
      port,
      host: '127.0.0.1',
      path,
      method: request.raw.method ?? 'GET',
      headers: [...headers, ...requestHeaders],
    });
    let isOver = false;
    let incoming: IncomingMessage | undefined;
    asked.on('response', (answer) => {
      incoming = answer;
      sink.head(
        answer.statusCode ?? 0,
        answer.statusMessage ?? '',
        answer.rawHeaders.filter(
          (_, at) =>
            !/^(?:connection|keep-alive|transfer-encoding)$/i.test(answer.rawHeaders[at - (at % 2)] ?? ''),
        ),
      );
      answer.on('data', (chunk: Buffer) => {
        if (!isOver && !sink.data(chunk)) answer.pause();
      });
      answer.on('end', () => {
        if (!isOver) sink.end([]);
      });
    });
    asked.on('error', (error) => {
      if (!isOver) sink.fail(error);
      isOver = true;
    });
    asked.end();
    return {
      abort: (reason) => {
        isOver = true;
        asked.destroy(reason);
      },
      resume: () => incoming?.resume(),
    };
  };
}
