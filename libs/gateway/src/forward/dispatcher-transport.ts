import { callContext } from '@mesh/service-client';
import type { Duplex } from 'node:stream';
import type { AnswerSink, Flow } from '../passage.ts';
import { answerFields, rawPairs, trailerFields } from './answer-head.ts';
import type { ParsedHeaders, ProxyClient, UpstreamController, UpstreamHandler } from './proxy-client.ts';
import type { Transport, TransportRequest, UpgradeSink } from './transport.ts';

/** The transport over a dispatcher of undici's shape: discovery, pick, breaker and retry are in there. */
export function dispatcherTransport({ dispatcher }: ProxyClient): Transport {
  return (request, sink) => {
    const call = new DispatchedCall(request, sink);
    const { service, path, method, rawHeaders, body, context, upgrade } = request;
    // The time limit of the body is the sink's, who knows whether it is a stream of events.
    const options = { path, method, body, headers: rawHeaders, bodyTimeout: 0, [callContext]: context };
    const origin = `http://${service}`;
    try {
      dispatcher.dispatch(
        upgrade === undefined ? { origin, ...options } : { origin, upgrade, ...options },
        call,
      );
    } catch (error) {
      call.onResponseError(null, error as Error);
    }
    return call;
  };
}

/** One call: translates between undici's handler and a sink. */
class DispatchedCall implements UpstreamHandler, Flow {
  readonly readsRawHeaders = true;
  readonly #request: TransportRequest;
  readonly #sink: AnswerSink | UpgradeSink;
  #controller: UpstreamController | undefined;
  #abortReason: Error | undefined;
  #isOver = false;

  constructor(request: TransportRequest, sink: AnswerSink | UpgradeSink) {
    this.#request = request;
    this.#sink = sink;
  }

  abort(reason: Error): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#abortReason = reason;
    this.#controller?.abort(reason);
  }

  resume(): void {
    if (!this.#isOver) this.#controller?.resume();
  }

  onRequestStart(controller: UpstreamController): void {
    this.#controller = controller;
    // The client may have left while the request stood in a queue.
    if (this.#abortReason !== undefined) controller.abort(this.#abortReason);
  }

  onResponseStart(
    controller: UpstreamController,
    status: number,
    headers: ParsedHeaders,
    statusMessage = '',
  ): void {
    if (this.#isOver) return;
    const raw = rawPairs(controller.rawHeaders, headers);
    if (status < 200) this.#sink.inform(status, answerFields(raw, undefined));
    // What may not be written again is thrown here; undici then reports it as an error of this response.
    else this.#sink.head(status, statusMessage, answerFields(raw, this.#request.context.instance));
  }

  onRequestUpgrade(
    controller: UpstreamController,
    _status: number,
    headers: ParsedHeaders,
    socket: Duplex,
  ): void {
    const sink = this.#sink;
    if (this.#isOver || !('switch' in sink)) {
      socket.destroy();
      if (!this.#isOver) this.onResponseError(controller, new Error('nobody takes the new protocol'));
      return;
    }
    this.#isOver = true;
    sink.switch(
      answerFields(rawPairs(controller.rawHeaders, headers), this.#request.context.instance),
      socket,
    );
  }

  onResponseData(controller: UpstreamController, chunk: Buffer): void {
    if (!this.#isOver && !this.#sink.data(chunk)) controller.pause();
  }

  onResponseEnd(controller: UpstreamController): void {
    if (this.#isOver) return;
    this.#isOver = true;
    const raw = controller.rawTrailers;
    this.#sink.end(Array.isArray(raw) && raw.length > 0 ? trailerFields(rawPairs(raw, {})) : noTrailers);
  }

  onResponseError(_controller: UpstreamController | null, error: Error): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#sink.fail(error);
  }
}

const noTrailers: readonly string[] = [];
