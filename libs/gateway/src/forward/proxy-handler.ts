import { HttpProblem, sendProblem } from '@mesh/problem';
import { callContext, createCallContext, type CallContext } from '@mesh/service-client';
import { readTrace, type TraceContext } from '@mesh/trace-context';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Socket } from 'node:net';
import { forwardedHeaders } from './forwarded.ts';
import { hopsOf } from './hops.ts';
import type { ProxyClient, UpstreamController, UpstreamHandler } from './proxy-client.ts';
import { rawPairs, requestHeaders, responseHeaders } from './proxy-headers.ts';
import { discardRest, RequestBody } from './request-body.ts';
import type { Destination } from '../routing/route-table.ts';
import { isCallerFault } from '../upstream-failure.ts';

/** What all exchanges of one proxy share. */
export interface ProxySettings {
  readonly client: ProxyClient;
  /** Most bytes of a request body. */
  readonly bodyLimit: number;
  /** Longest silence within a response body, in ms. */
  readonly idleTimeoutMs: number;
  /** Turns a failure before the head into the error that the client is told. */
  readonly explain: (error: Error, destination: Destination) => Error;
  /** Called when an instance has answered. */
  readonly onAnswer: (destination: Destination) => void;
}

const clientGone = new DOMException('the client went away', 'AbortError');

/**
 * One request on its way through the proxy.
 *
 *   waiting ──head──▶ streaming ──end──▶ done     the answer went through
 *      │                  └─────error──▶ done     the client's connection is destroyed: half an answer is none
 *      └──────────────error────────────▶ done     problem JSON
 *   any ──────────client gone──────────▶ done     the upstream is aborted at once
 *
 * Until the head has come the reply is Fastify's (a problem takes the usual way, hooks and log included); then it is hijacked.
 */
export class ProxyExchange implements UpstreamHandler {
  readonly #request: FastifyRequest;
  readonly #reply: FastifyReply;
  readonly #destination: Destination;
  readonly #settings: ProxySettings;
  readonly #context: CallContext;
  #state: 'waiting' | 'streaming' | 'done' = 'waiting';
  #isHeadSent = false;
  #controller: UpstreamController | undefined;
  #abortReason: Error = clientGone;

  constructor(
    request: FastifyRequest,
    reply: FastifyReply,
    destination: Destination,
    settings: ProxySettings,
  ) {
    this.#request = request;
    this.#reply = reply;
    this.#destination = destination;
    this.#settings = settings;
    this.#context = createCallContext({ trace: traceOf(request) });
  }

  /** Sends the request on its way; never throws. */
  start(): void {
    const { client, bodyLimit } = this.#settings;
    const declared = Number(this.#request.headers['content-length'] ?? 0);
    if (declared > bodyLimit) {
      this.#fail(tooLarge(bodyLimit));
      return;
    }
    this.#reply.raw.once('close', this.#onClientClose);
    this.#request.raw.once('close', this.#onRequestClose);
    try {
      client.dispatcher.dispatch(
        {
          origin: `http://${this.#destination.service}`,
          path: this.#destination.path,
          method: this.#request.method,
          headers: requestHeaders(this.#request.raw.rawHeaders, this.#forwarded()),
          body: this.#hasBody(declared) ? this.#body() : null,
          bodyTimeout: this.#idleTimeoutMs(),
          [callContext]: this.#context,
        },
        this,
      );
    } catch (error) {
      this.onResponseError(null, error as Error);
    }
  }

  onRequestStart(controller: UpstreamController): void {
    this.#controller = controller;
    // The client may have left while the request stood in a queue.
    if (this.#state === 'done') controller.abort(this.#abortReason);
  }

  onResponseStart(
    controller: UpstreamController,
    status: number,
    headers: Readonly<Record<string, string | string[] | undefined>>,
    statusMessage = '',
  ): void {
    if (status < 200 || this.#state === 'done') return;
    const { raw } = this.#reply;
    const pairs = rawPairs(controller.rawHeaders, headers);
    const own = this.#reply.getHeaders();
    // Throws on what may not be written again; undici then reports it as an error of this response.
    raw.writeHead(status, plainText(statusMessage), responseHeaders(pairs, own, this.#context.instance));
    this.#reply.hijack();
    this.#state = 'streaming';
    raw.on('drain', this.#onDrain);
    this.#settings.onAnswer(this.#destination);
    // A body that is already here goes out in one write with its head; a head alone does not wait for one.
    process.nextTick(this.#flushHead);
  }

  onResponseData(controller: UpstreamController, chunk: Buffer): void {
    const { raw } = this.#reply;
    if (this.#state !== 'streaming' || raw.destroyed) return;
    this.#isHeadSent = true;
    if (!raw.write(chunk)) controller.pause();
  }

  onResponseEnd(): void {
    if (this.#state !== 'streaming') return;
    this.#state = 'done';
    this.#reply.raw.end();
    discardRest(this.#request.raw);
  }

  onResponseError(_controller: UpstreamController | null, error: Error): void {
    if (this.#state === 'streaming') {
      this.#state = 'done';
      this.#request.log.warn({ err: error }, 'upstream broke off');
      this.#reply.raw.destroy();
    } else if (this.#state === 'waiting') {
      this.#fail(this.#settings.explain(error, this.#destination));
    }
  }

  readonly #onClientClose = (): void => {
    if (this.#state === 'done') return;
    this.#state = 'done';
    this.#controller?.abort(clientGone);
  };

  /** A reply that waits for its turn behind another is not told that the connection is gone; its request is. */
  readonly #onRequestClose = (): void => {
    if (this.#request.raw.socket.destroyed) this.#onClientClose();
  };

  readonly #onTooLarge = (): void => {
    const problem = tooLarge(this.#settings.bodyLimit);
    this.#abortReason = problem;
    if (this.#state === 'streaming') this.#reply.raw.destroy();
    if (this.#state === 'waiting') this.#fail(problem);
    this.#state = 'done';
    this.#controller?.abort(problem);
  };

  readonly #onDrain = (): void => {
    if (this.#state === 'streaming') this.#controller?.resume();
  };

  readonly #flushHead = (): void => {
    if (this.#state === 'streaming' && !this.#isHeadSent) this.#reply.raw.flushHeaders();
  };

  #fail(error: Error): void {
    this.#state = 'done';
    if (!isCallerFault(error)) this.#request.log.warn({ err: error }, 'upstream failed');
    sendProblem(error, this.#request, this.#reply);
    discardRest(this.#request.raw);
  }

  #forwarded(): string[] {
    const socket: Socket & { encrypted?: boolean } = this.#request.raw.socket;
    const seen = forwardedHeaders({
      address: socket.remoteAddress,
      encrypted: socket.encrypted === true,
      host: this.#request.headers.host,
    });
    return [...seen, 'x-mesh-hops', String(hopsOf(this.#request.headers) + 1)];
  }

  #hasBody(declared: number): boolean {
    return declared > 0 || this.#request.headers['transfer-encoding'] !== undefined;
  }

  #body(): RequestBody {
    return new RequestBody(this.#request.raw, this.#settings.bodyLimit, this.#onTooLarge);
  }

  /** A stream of events may be silent for as long as it likes. */
  #idleTimeoutMs(): number {
    const isEventStream = this.#request.headers.accept?.includes('text/event-stream') === true;
    return isEventStream ? 0 : this.#settings.idleTimeoutMs;
  }
}

function tooLarge(limit: number): HttpProblem {
  return new HttpProblem('ERR_BODY_TOO_LARGE', `The request body may have at most ${limit} bytes.`);
}

/** The reason phrase means nothing to programs; one that Node would not write is left out. */
function plainText(statusMessage: string): string {
  return /^[\t\x20-\x7e]*$/.test(statusMessage) ? statusMessage : '';
}

function traceOf(request: FastifyRequest): TraceContext {
  return (request as { trace?: TraceContext }).trace ?? readTrace(request.headers);
}
