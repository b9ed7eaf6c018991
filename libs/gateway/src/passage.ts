import type { HttpProblem } from '@mesh/problem';
import type { CallContext } from '@mesh/service-client';
import type { TraceContext } from '@mesh/trace-context';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { RequestTarget } from './routing/request-target.ts';

/** Who calls, as authentication found it. */
export interface Identity {
  /** The subject of the token, or the id of the API key. */
  readonly subject: string;
  readonly scopes: readonly string[];
  /** What it was proved with. */
  readonly by: 'jwt' | 'api-key';
  /** What the token says beside that; empty for an API key. */
  readonly claims: Readonly<Record<string, unknown>>;
}

/** One request on its way through the gateway: what the stages read, and what they leave for those after them. */
export interface Passage {
  readonly request: FastifyRequest;
  readonly reply: FastifyReply;
  /** Id of the route that matched. */
  readonly routeId: string;
  /** The one reading of the path: match, authorisation, limits and cache keys all go by its normalised copy. */
  readonly target: RequestTarget;
  /** The service that is asked. */
  readonly service: string;
  /** Path and query for the instance, byte for byte. */
  readonly path: string;
  /** Whether the route has rules of CORS: then those of the instance do not hold, whoever asks. Default false. */
  readonly hasCors?: boolean;
  readonly trace: TraceContext;
  /** Address of the client; behind a trusted proxy, the one that the proxy saw. */
  readonly clientAddress: string;
  /** Set by authentication. */
  identity: Identity | undefined;
  /** Name and value pairs that go to the instance beside those of the client. */
  readonly requestHeaders: string[];
  /** Names (lower case) of the client's fields that the instance does not get: credentials that were meant for the gateway alone. Default: none. */
  withheldHeaders?: readonly string[];
  /** Name and value pairs that go on the answer, also on one that the gateway makes itself. */
  readonly answerHeaders: string[];
  /** The call that was made for it, once one was: who was asked, and how often. */
  call: CallContext | undefined;
  /** Where those who know it write what is to be known of the exchange; undefined when nobody wants to know. */
  readonly notes: ExchangeNotes | undefined;
  /** Calls `listener` once when the exchange is over, however it ended. */
  onEnd(listener: () => void): void;
}

/** What is noted of an exchange on its way, for metrics and traces. */
export interface ExchangeNotes {
  /** Body bytes to the instance, and to the client. */
  bytesSent: number;
  bytesReceived: number;
  /** Code of the problem that was answered. */
  code: string;
  /** What the cache did: `hit`, `stale`, `miss` ... */
  cache: string;
  /** The stages have let the passage go on. */
  passed(): void;
  /** The head of the answer is here. */
  answered(): void;
}

/** Why a passage ends here: a problem for the client. */
export type Refusal = HttpProblem;

/**
 * One check on the way: undefined lets the passage go on, a problem ends it. It answers at once wherever it can; only what has to wait
 * (a key set, a shared counter) gives a promise, because a promise for every request is most of what a check costs. It never throws.
 */
export type Stage = (passage: Passage) => Refusal | undefined | Promise<Refusal | undefined>;

/** Takes an answer: `inform`*, `head`, `data`*, then `end`; or `fail` at any place, and nothing after it. */
export interface AnswerSink {
  /** An interim answer (103). */
  inform(status: number, rawHeaders: readonly string[]): void;
  head(status: number, statusMessage: string, rawHeaders: readonly string[]): void;
  /** Returns false to ask for a pause; the flow's `resume` ends it. */
  data(chunk: Buffer): boolean;
  end(rawTrailers: readonly string[]): void;
  fail(error: Error): void;
}

/** The source of an answer, held by who takes it. */
export interface Flow {
  /** Ends it; the sink hears no more. */
  abort(reason: Error): void;
  resume(): void;
}

/** Gets an answer for a passage into a sink: from an instance, or from a cache around that. */
export type Forward = (passage: Passage, sink: AnswerSink) => Flow;
