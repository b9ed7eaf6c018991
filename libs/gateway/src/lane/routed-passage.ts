import { readTrace, type TraceContext } from '@mesh/trace-context';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Forward, Identity, Passage } from '../passage.ts';
import type { RequestTarget } from '../routing/request-target.ts';

/** One of the ways that a route's requests may take: the only one, or a branch of its split. */
export interface Way {
  /** Name of the branch; undefined when the route has no split. */
  readonly name: string | undefined;
  /** undefined: the path names the service. */
  readonly service: string | undefined;
  /** What the metadata of the instance must say. */
  readonly where: Readonly<Record<string, string>> | undefined;
  readonly forward: Forward;
}

/** What is known of a request once its route and its way are found. */
export interface RoutedFacts {
  readonly request: FastifyRequest;
  readonly reply: FastifyReply;
  readonly routeId: string;
  readonly target: RequestTarget;
  readonly service: string;
  readonly path: string;
  readonly way: Way;
}

/** A request on its way through a route. What not every route asks for is read when it is asked for. */
export class RoutedPassage implements Passage {
  readonly request: FastifyRequest;
  readonly reply: FastifyReply;
  readonly routeId: string;
  readonly target: RequestTarget;
  readonly service: string;
  readonly path: string;
  readonly way: Way;
  identity: Identity | undefined = undefined;
  withheldHeaders?: readonly string[];
  readonly requestHeaders: string[] = [];
  readonly answerHeaders: string[] = [];
  #trace: TraceContext | undefined;

  constructor({ request, reply, routeId, target, service, path, way }: RoutedFacts) {
    this.request = request;
    this.reply = reply;
    this.routeId = routeId;
    this.target = target;
    this.service = service;
    this.path = path;
    this.way = way;
  }

  get trace(): TraceContext {
    return (this.#trace ??=
      (this.request as { trace?: TraceContext }).trace ?? readTrace(this.request.headers));
  }

  get clientAddress(): string {
    return this.request.ip;
  }

  /** Whether the client is still there to be answered. */
  get isOpen(): boolean {
    return (
      !this.reply.raw.destroyed && !this.reply.raw.writableFinished && !this.request.raw.socket.destroyed
    );
  }

  onEnd(listener: () => void): void {
    let isOver = false;
    const once = (): void => {
      if (isOver) return;
      isOver = true;
      listener();
    };
    this.reply.raw.once('close', once);
    // A reply that waits for its turn behind another is not told that the connection is gone; its request is.
    this.request.raw.once('close', () => {
      if (this.request.raw.socket.destroyed) once();
    });
  }
}
