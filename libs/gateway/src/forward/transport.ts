import type { CallContext } from '@mesh/service-client';
import type { Duplex, Readable } from 'node:stream';
import type { AnswerSink, Flow } from '../passage.ts';

/** A request for one instance of a service. */
export interface TransportRequest {
  readonly service: string;
  readonly method: string;
  /** Path and query, byte for byte. */
  readonly path: string;
  /** Flat pairs without hop-by-hop fields; `Host` only when it is not to be the instance's own. */
  readonly rawHeaders: string[];
  /** A stream is read when an instance is ready to take it, and once; bytes may be sent again. null when the request has none. */
  readonly body: Readable | Buffer | null;
  /** The protocol to change to; the sink must be an {@link UpgradeSink}. */
  readonly upgrade: string | undefined;
  /** What is known and wished of this call; the transport notes on it which instance was asked. */
  readonly context: CallContext;
}

/** Takes the answer to a request that asks for another protocol. */
export interface UpgradeSink extends AnswerSink {
  /** The instance has agreed (101); the socket is all its own from here on, and there is no `end`. */
  switch(rawHeaders: readonly string[], socket: Duplex): void;
}

/**
 * What carries a request to an instance and its answer back: the only thing here that knows which HTTP client is used. It
 * strips hop-by-hop fields off the answer, never throws, and calls the sink before or after it returns the flow.
 */
export type Transport = (request: TransportRequest, sink: AnswerSink | UpgradeSink) => Flow;
