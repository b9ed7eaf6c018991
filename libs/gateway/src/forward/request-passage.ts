import type { CallContext } from '@mesh/service-client';
import type { TraceContext } from '@mesh/trace-context';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { ServerResponse } from 'node:http';
import type { ExchangeNotes, Identity, Passage } from '../passage.ts';
import type { RequestTarget } from '../routing/request-target.ts';
import type { ForwardedFields } from './forwarded.ts';
import { readRawTrace } from './raw-trace.ts';

/** What is known of a request once its route is found. */
export interface PassageFacts {
  readonly request: FastifyRequest;
  readonly reply: FastifyReply;
  readonly routeId: string;
  readonly target: RequestTarget;
  readonly service: string;
  readonly path: string;
  /** Whether the route has rules of CORS. */
  readonly hasCors: boolean;
  /** Tells the address of the client. */
  readonly forwarded: ForwardedFields;
}

const passageOf = Symbol('passage');

type WatchedResponse = ServerResponse & { [passageOf]?: RequestPassage };

/**
 * A {@link Passage} of a request to Fastify. It is over when its answer is written to the connection, or when the connection is gone,
 * whichever comes first. What not every route asks for is read when it is asked for.
 */
export class RequestPassage implements Passage {
  readonly request: FastifyRequest;
  readonly reply: FastifyReply;
  readonly routeId: string;
  readonly target: RequestTarget;
  readonly service: string;
  readonly path: string;
  readonly hasCors: boolean;
  identity: Identity | undefined = undefined;
  withheldHeaders?: readonly string[];
  call: CallContext | undefined = undefined;
  notes: ExchangeNotes | undefined = undefined;
  readonly requestHeaders: string[] = [];
  readonly answerHeaders: string[] = [];
  readonly #forwarded: ForwardedFields;
  #trace: TraceContext | undefined;
  #listeners: (() => void)[] | undefined = [];

  constructor(facts: PassageFacts) {
    this.request = facts.request;
    this.reply = facts.reply;
    this.routeId = facts.routeId;
    this.target = facts.target;
    this.service = facts.service;
    this.path = facts.path;
    this.hasCors = facts.hasCors;
    this.#forwarded = facts.forwarded;
    const raw: WatchedResponse = facts.reply.raw;
    // One function for all passages: a closure and a wrapper for each of them would be waste.
    raw[passageOf] = this;
    raw.on('close', onClose);
    if (raw.socket === null) this.#watchRequest();
  }

  get trace(): TraceContext {
    return (this.#trace ??=
      (this.request as { trace?: TraceContext }).trace ?? readRawTrace(this.request.raw.rawHeaders));
  }

  get clientAddress(): string {
    const { socket, rawHeaders } = this.request.raw;
    return this.#forwarded.clientAddress(socket, rawHeaders);
  }

  /** Whether it may still be answered. */
  get isOpen(): boolean {
    return this.#listeners !== undefined;
  }

  onEnd(listener: () => void): void {
    if (this.#listeners === undefined) listener();
    else this.#listeners.push(listener);
  }

  /** Ends it; later calls do nothing. */
  end(): void {
    const listeners = this.#listeners;
    this.#listeners = undefined;
    if (listeners !== undefined) for (const listener of listeners) listener();
  }

  /** A reply that waits for its turn behind another is not told that the connection is gone; its request is. */
  #watchRequest(): void {
    const { raw } = this.request;
    raw.once('close', () => {
      if (raw.socket.destroyed) this.end();
    });
  }
}

function onClose(this: WatchedResponse): void {
  this[passageOf]?.end();
}
