import type { Duplex, Readable } from 'node:stream';

/**
 * The seam below all policy: what takes one request to one address. Calls, attempts and the stack know nothing else of HTTP, so another
 * client can take undici's place. Its words are undici 8's on purpose: undici then needs no adapter, whose object for each request would
 * cost as much as the pick of the instance.
 *
 * ```
 *   stack --open(address)--> Peer --send(request, sink)--> Flow --abort, pause, resume
 *                                                       \--> sink: start, 1xx*, head, data*, end | error
 * ```
 */
export interface Transport {
  /** A peer for an address; the same address may give the same connections. */
  open(address: Address): Peer;
  /** Takes no more requests, waits for those under way for at most `graceMs`, then cuts them off. */
  close(graceMs: number): Promise<void>;
}

/** Where a peer is. */
export interface Address {
  readonly scheme: 'http' | 'https';
  readonly host: string;
  readonly port: number;
}

/** `http://host:port`, of IPv6 in brackets. */
export function originOf({ scheme, host, port }: Address): string {
  return `${scheme}://${host.includes(':') ? `[${host}]` : host}:${port}`;
}

/** The connections to one address. */
export interface Peer {
  /**
   * Sends a request. Every failure comes through `sink.onResponseError`, none is thrown. `fresh` asks for a connection that was not used
   * before.
   */
  send(request: TransportRequest, sink: Sink, fresh: boolean): void;
  /** Whether this error of a peer ended a connection that had given an answer before: it may just have been closed as idle. */
  wasReused(error: Error): boolean;
  /** No more requests will come; those under way end as they will, then the connections are closed. */
  release(): void;
}

/** One request: method, target, raw headers, body. */
export interface TransportRequest {
  readonly method: string;
  /** Path and query, sent byte for byte. */
  readonly path: string;
  readonly query: Record<string, unknown> | undefined;
  /** Flat name and value pairs. */
  readonly headers: readonly string[];
  readonly body: Body;
  /** Protocol to upgrade to. */
  readonly upgrade: string | boolean | null | undefined;
  /** Both none: the stack keeps all limits of time itself, with one timer for all requests. */
  readonly headersTimeout: 0;
  readonly bodyTimeout: 0;
  readonly expectContinue: boolean | undefined;
  readonly reset: boolean | undefined;
  readonly blocking: boolean | undefined;
}

/** What a request may carry. */
export type Body = string | Uint8Array | Readable | object | null | undefined;

/** Parsed header or trailer fields. */
export type Fields = Record<string, string | string[] | undefined>;

/** Raw fields as they came: flat pairs of bytes or text. */
export type RawFields = Buffer[] | string[] | Fields | null;

/** Steers one exchange. */
export interface Flow {
  readonly aborted: boolean;
  readonly paused: boolean;
  readonly reason: Error | null;
  /** Of the newest head. */
  rawHeaders?: RawFields;
  rawTrailers?: RawFields;
  abort(reason: Error): void;
  pause(): void;
  resume(): void;
}

/** Takes what comes of one request: start, then interim heads, the head, data and end, or an upgrade; an error at any place ends it. */
export interface Sink {
  /** Whether it reads `flow.rawHeaders`: the parsed fields may then be empty below 400. */
  readonly readsRawHeaders?: boolean;
  /** A connection is there and the request is about to be written. */
  onRequestStart(flow: Flow, context: unknown): void;
  onBodySent(chunk: Buffer): void;
  onRequestSent(): void;
  /** The first byte of an answer has come. */
  onResponseStarted(): void;
  onResponseStart(flow: Flow, status: number, headers: Fields, message?: string): void;
  onRequestUpgrade(flow: Flow, status: number, headers: Fields, socket: Duplex): void;
  onResponseData(flow: Flow, chunk: Buffer): void;
  onResponseEnd(flow: Flow, trailers: Fields): void;
  /** `flow` is null when the request never started. */
  onResponseError(flow: Flow | null, error: Error): void;
}

/** What the caller of a client gives: the same with every part optional (undici's handler). */
export type Handler = Partial<Omit<Sink, 'onResponseError'>> & {
  onResponseError?(flow: Flow, error: Error): void;
};
