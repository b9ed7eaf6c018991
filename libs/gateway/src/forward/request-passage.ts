import type { TraceContext } from '@mesh/trace-context';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { ServerResponse } from 'node:http';
import type { Identity, Passage } from '../passage.ts';
import type { RequestTarget } from '../routing/request-target.ts';

/** What is known of a request once its route is found. */
export interface PassageFacts {
  readonly request: FastifyRequest;
  readonly reply: FastifyReply;
  readonly routeId: string;
  readonly target: RequestTarget;
  readonly service: string;
  readonly path: string;
  readonly trace: TraceContext;
  readonly clientAddress: string;
}

const passageOf = Symbol('passage');

type WatchedResponse = ServerResponse & { [passageOf]?: RequestPassage };

/**
 * A {@link Passage} of a request to Fastify. It is over when its answer is written to the connection, or when the connection is gone,
 * whichever comes first.
 */
export class RequestPassage implements Passage {
  readonly request: FastifyRequest;
  readonly reply: FastifyReply;
  readonly routeId: string;
  readonly target: RequestTarget;
  readonly service: string;
  readonly path: string;
  readonly trace: TraceContext;
  readonly clientAddress: string;
  identity: Identity | undefined = undefined;
  readonly requestHeaders: string[] = [];
  readonly answerHeaders: string[] = [];
  #listeners: (() => void)[] | undefined = [];

  constructor(facts: PassageFacts) {
    this.request = facts.request;
    this.reply = facts.reply;
    this.routeId = facts.routeId;
    this.target = facts.target;
    this.service = facts.service;
    this.path = facts.path;
    this.trace = facts.trace;
    this.clientAddress = facts.clientAddress;
    const raw: WatchedResponse = facts.reply.raw;
    // One function for all passages: a closure and a wrapper for each of them would be waste.
    raw[passageOf] = this;
    raw.on('close', onClose);
    if (raw.socket === null) this.#watchRequest();
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
