import { HttpProblem } from '@mesh/problem';
import { callContext, type CallWishes } from '@mesh/service-client';
import { valuesOf } from '../forward/hop-headers.ts';
import { hopsOf, maxHops } from '../forward/hops.ts';
import type {
  ProxyClient,
  UpstreamController,
  UpstreamHandler,
  UpstreamRequest,
} from '../forward/proxy-client.ts';
import { ProxyExchange, type ProxySettings } from '../forward/proxy-handler.ts';
import { rawPairs } from '../forward/proxy-headers.ts';
import type { AnswerSink, Flow, Forward, Passage } from '../passage.ts';
import { headerOf } from '../routing/match-request.ts';

/** What an engine is told of a way to the instances, once. */
export interface ForwardSettings {
  readonly host: 'client' | 'instance';
  readonly wishes: CallWishes;
}

/** What an engine is told of the answers of a route, once. */
export interface AnswerSettings extends Pick<ProxySettings, 'bodyLimit' | 'idleTimeoutMs'> {
  /** Turns a failure before the head into the error that the client is told. */
  readonly explain: (error: Error, passage: Passage) => Error;
  /** Called when the head of an answer has come. */
  readonly onAnswer: (passage: Passage) => void;
}

/** What carries requests and answers: the two ends between which the stages and the cache of a route stand. */
export interface Engine {
  /** The end of the way: to an instance of the passage's service. */
  forwardTo(settings: ForwardSettings): Forward;
  /** The beginning: gets the answer by `forward`, and writes it to the client. */
  answer(passage: Passage, forward: Forward, settings: AnswerSettings): void;
}

/**
 * An engine made of the `ProxyExchange`: its dispatcher is the route's `Forward`, which in the end comes to the client's dispatcher. The engine
 * of forward/ takes its place with `forwardTo` and `ClientSink`.
 */
export function presentEngine(client: ProxyClient): Engine {
  const calls = new WeakMap<Passage, UpstreamRequest>();
  return {
    forwardTo: ({ host, wishes }) => {
      return (passage, sink) => {
        const call = calls.get(passage);
        if (call === undefined) throw new Error('gateway: a passage was forwarded before it was answered');
        Object.assign(call[callContext], wishes);
        const flow = new SinkHandler(sink);
        try {
          client.dispatcher.dispatch({ ...call, headers: headersFor(call.headers, passage, host) }, flow);
        } catch (error) {
          sink.fail(error as Error);
        }
        return flow;
      };
    },
    answer: (passage, forward, { explain, onAnswer, ...limits }) => {
      const { request, reply, service, path, answerHeaders } = passage;
      for (let at = 0; at + 1 < answerHeaders.length; at += 2) {
        void reply.header(answerHeaders[at] ?? '', answerHeaders[at + 1]);
      }
      const dispatch = (call: UpstreamRequest, handler: UpstreamHandler): boolean => {
        calls.set(passage, call);
        const sink = new HandlerSink(handler);
        sink.follow(refusalOf(passage, sink) ?? forward(passage, sink));
        return true;
      };
      new ProxyExchange(
        request,
        reply,
        { service, path, isDynamic: false },
        {
          ...limits,
          client: { dispatcher: { dispatch } },
          explain: (error) => explain(error, passage),
          onAnswer: () => {
            onAnswer(passage);
          },
        },
      ).start();
    },
  };
}

/** What may not go on, whatever the route. */
function refusalOf({ request }: Passage, sink: AnswerSink): Flow | undefined {
  const { rawHeaders } = request.raw;
  const fail = (problem: HttpProblem): Flow => {
    sink.fail(problem);
    return { abort: () => undefined, resume: () => undefined };
  };
  if (valuesOf(rawHeaders, 'host').length > 1) {
    return fail(new HttpProblem('ERR_BAD_REQUEST', 'Not forwarded: there is more than one Host.'));
  }
  if (hopsOf({ 'x-mesh-hops': headerOf(rawHeaders, 'x-mesh-hops') }) < maxHops) return undefined;
  return fail(new HttpProblem('ERR_LOOP', 'Not forwarded: the request goes in a circle.', { status: 508 }));
}

function headersFor(headers: readonly string[], passage: Passage, host: 'client' | 'instance'): string[] {
  const { withheldHeaders = [], requestHeaders } = passage;
  if (withheldHeaders.length === 0 && requestHeaders.length === 0 && host === 'client') return [...headers];
  const dropped = new Set(host === 'instance' ? [...withheldHeaders, 'host'] : withheldHeaders);
  const kept: string[] = [];
  for (let at = 0; at + 1 < headers.length; at += 2) {
    const name = headers[at] ?? '';
    if (!dropped.has(name.toLowerCase())) kept.push(name, headers[at + 1] ?? '');
  }
  return [...kept, ...requestHeaders];
}

/** The sink that a `ProxyExchange` is, seen from a forward. */
class HandlerSink implements AnswerSink {
  readonly #handler: UpstreamHandler;
  readonly #controller: UpstreamController & { rawHeaders: readonly string[] };
  #flow: Flow | undefined;
  #isPaused = false;

  constructor(handler: UpstreamHandler) {
    this.#handler = handler;
    this.#controller = {
      rawHeaders: [],
      abort: (reason) => this.#flow?.abort(reason),
      pause: () => {
        this.#isPaused = true;
      },
      resume: () => this.#flow?.resume(),
    };
  }

  follow(flow: Flow): void {
    this.#flow = flow;
    this.#handler.onRequestStart(this.#controller, {});
  }

  inform(): void {
    // The present exchange passes no interim answers on.
  }

  head(status: number, statusMessage: string, rawHeaders: readonly string[]): void {
    this.#controller.rawHeaders = rawHeaders;
    this.#handler.onResponseStart(this.#controller, status, {}, statusMessage);
  }

  data(chunk: Buffer): boolean {
    this.#isPaused = false;
    this.#handler.onResponseData(this.#controller, chunk);
    return !this.#isPaused;
  }

  end(): void {
    this.#handler.onResponseEnd(this.#controller, {});
  }

  fail(error: Error): void {
    this.#handler.onResponseError(this.#controller, error);
  }
}

/** A dispatcher's handler that fills a sink. */
class SinkHandler implements UpstreamHandler, Flow {
  readonly #sink: AnswerSink;
  #controller: UpstreamController | undefined;
  #aborted: Error | undefined;

  constructor(sink: AnswerSink) {
    this.#sink = sink;
  }

  abort(reason: Error): void {
    this.#aborted = reason;
    this.#controller?.abort(reason);
  }

  resume(): void {
    this.#controller?.resume();
  }

  onRequestStart(controller: UpstreamController): void {
    this.#controller = controller;
    if (this.#aborted !== undefined) controller.abort(this.#aborted);
  }

  onResponseStart(
    controller: UpstreamController,
    status: number,
    headers: Record<string, string | string[] | undefined>,
    statusMessage = '',
  ): void {
    if (this.#aborted !== undefined) return;
    const pairs = rawPairs(controller.rawHeaders, headers);
    if (status < 200) this.#sink.inform(status, pairs);
    else this.#sink.head(status, statusMessage, pairs);
  }

  onResponseData(controller: UpstreamController, chunk: Buffer): void {
    if (this.#aborted === undefined && !this.#sink.data(chunk)) controller.pause();
  }

  onResponseEnd(): void {
    if (this.#aborted === undefined) this.#sink.end([]);
  }

  onResponseError(_controller: UpstreamController | null, error: Error): void {
    if (this.#aborted === undefined) this.#sink.fail(error);
  }
}
