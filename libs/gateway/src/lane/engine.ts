import type { CallWishes } from '@mesh/service-client';
import type { FastifyInstance } from 'fastify';
import type { IncomingMessage } from 'node:http';
import { readPace, type BodyPaceOptions } from '../forward/body-pace.ts';
import { ClientSink, type ClientSinkSettings } from '../forward/client-sink.ts';
import { dispatcherTransport } from '../forward/dispatcher-transport.ts';
import { acceptExpectations } from '../forward/expectations.ts';
import { ForwardedFields, type ForwardedOptions } from '../forward/forwarded.ts';
import { forwardTo } from '../forward/forward.ts';
import { drainSessions } from '../forward/http2-drain.ts';
import type { ProxyClient } from '../forward/proxy-client.ts';
import type { Transport } from '../forward/transport.ts';
import type { BodyLimits } from '../forward/request-body.ts';
import { Tunnels, type TunnelOptions } from '../forward/tunnels.ts';
import { acceptUpgrades } from '../forward/upgrades.ts';
import { Watch } from '../forward/watch.ts';
import type { Forward, Passage } from '../passage.ts';
import type { Route } from '../routing/route-schema.ts';
import { wholeNumber } from '../range.ts';

/** Limits of the exchanges of a gateway, and how they tell where they came from; a route may say otherwise of the limits. */
export interface EngineOptions extends ForwardedOptions, TunnelOptions {
  /** Most bytes of a request body, declared or counted; above it 413. Default 10 MiB. */
  readonly bodyLimitBytes?: number;
  /** How slowly a request body may come; beyond it 408. Default 256 bytes a second after 5 s, and no silence of 15 s. `false`: any. */
  readonly bodyPace?: BodyPaceOptions | false;
  /** Longest silence within a response body in ms, 0 for any; streams of events may always be silent. Default 60 000. */
  readonly idleTimeoutMs?: number;
  /** Longest time for a whole exchange in ms; streams of events have none. Default 0, which is no limit: an upload may take its time. */
  readonly totalTimeoutMs?: number;
  /** How long a client may leave its answer unread, in ms, before it is cut off; 0 for ever. Default 60 000. */
  readonly stallTimeoutMs?: number;
  /** Name of this gateway in `Via`. Default `mesh`. */
  readonly pseudonym?: string;
}

/** What is told of answers. */
export type AnswerListeners = Pick<ClientSinkSettings, 'explain' | 'onAnswer'>;

/** What carries requests and answers: the two ends between which the stages and the cache of a route stand. */
export class Engine {
  /** Who asks, whatever proxies stand in between. */
  readonly forwarded: ForwardedFields;
  readonly #transport: Transport;
  readonly #tunnels: Tunnels;
  readonly #body: BodyLimits;
  readonly #pseudonym: string;
  readonly #answer: ClientSinkSettings;

  /** @throws RangeError when an option is out of range. */
  constructor(client: ProxyClient, options: EngineOptions & AnswerListeners) {
    const { bodyLimitBytes = 10 * 1024 * 1024, idleTimeoutMs = 60_000 } = options;
    const { totalTimeoutMs = 0, stallTimeoutMs = 60_000, explain, onAnswer } = options;
    const watch = new Watch();
    this.forwarded = new ForwardedFields(options);
    this.#transport = dispatcherTransport(client);
    this.#tunnels = new Tunnels(watch, options);
    this.#body = {
      bodyLimit: wholeNumber('gateway: bodyLimitBytes', bodyLimitBytes),
      pace: options.bodyPace === false ? undefined : readPace(options.bodyPace),
      watch,
    };
    this.#pseudonym = options.pseudonym ?? 'mesh';
    this.#answer = {
      ...{ watch, tunnels: this.#tunnels, explain, onAnswer },
      idleTimeoutMs: wholeNumber('gateway: idleTimeoutMs', idleTimeoutMs),
      totalTimeoutMs: wholeNumber('gateway: totalTimeoutMs', totalTimeoutMs),
      stallTimeoutMs: wholeNumber('gateway: stallTimeoutMs', stallTimeoutMs),
    };
  }

  /** The end of the way of a route: to an instance of the passage's service. */
  forwardTo({ bodyLimitBytes, host, websocket }: Route, wishes: CallWishes): Forward {
    return forwardTo(this.#transport, {
      ...this.#body,
      ...(bodyLimitBytes !== undefined && { bodyLimit: bodyLimitBytes }),
      forwarded: this.forwarded,
      host: host ?? 'client',
      pseudonym: this.#pseudonym,
      tunnels: this.#tunnels,
      origins: websocket === false ? false : typeof websocket === 'object' ? websocket.origins : [],
      wishes,
    });
  }

  /** How the answers of a route are written. */
  answerOf({ timeouts }: Route): ClientSinkSettings {
    const { idleMs, totalMs } = timeouts ?? {};
    return {
      ...this.#answer,
      ...(idleMs !== undefined && { idleTimeoutMs: idleMs }),
      ...(totalMs !== undefined && { totalTimeoutMs: totalMs }),
    };
  }

  /** The beginning: gets the answer by `forward`, and writes it to the client. */
  answer(passage: Passage, forward: Forward, settings: ClientSinkSettings): void {
    const sink = new ClientSink(passage, settings);
    sink.follow(forward(passage, sink));
  }

  /** Takes upgrades and expectations of an app's requests that `owns` says yes to, and ends what is long-lived when the app closes. */
  attach(app: FastifyInstance, owns: (request: IncomingMessage) => boolean): void {
    acceptExpectations(app, owns);
    acceptUpgrades(app, owns);
    drainSessions(app);
    app.addHook('preClose', (closed) => {
      this.#tunnels.close();
      closed();
    });
  }
}
