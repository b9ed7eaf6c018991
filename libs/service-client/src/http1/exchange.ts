import type { Duplex } from 'node:stream';
import type { Fields, Flow, Sink, TransportRequest } from '../transport.ts';
import { fieldsOf } from './answer-head.ts';
import type { Connection } from './connection.ts';

/** One request and its answer, from the wait for a connection to the end: what its sender steers it by. */
export class Exchange implements Flow {
  aborted = false;
  paused = false;
  reason: Error | null = null;
  rawHeaders: string[] | null = null;
  rawTrailers: string[] | null = null;
  readonly request: TransportRequest;
  readonly sink: Sink;
  /** What carries it; none before it has begun and after it is over. */
  connection: Connection | undefined = undefined;
  isOver = false;
  /** The next in the queue. */
  next: Exchange | undefined = undefined;

  constructor(request: TransportRequest, sink: Sink) {
    this.request = request;
    this.sink = sink;
  }

  abort(reason: Error): void {
    if (this.isOver) return;
    this.aborted = true;
    this.reason = reason;
    this.fail(reason);
  }

  pause(): void {
    if (this.paused) return;
    this.paused = true;
    this.connection?.pause();
  }

  resume(): void {
    if (!this.paused) return;
    this.paused = false;
    this.connection?.resume();
  }

  end(rawTrailers: string[]): void {
    if (this.isOver) return;
    this.#leave();
    this.rawTrailers = rawTrailers;
    this.sink.onResponseEnd(this, fieldsOf(rawTrailers));
  }

  /** Ends it with a socket that speaks something else from here on. */
  switch(status: number, fields: Fields, socket: Duplex): void {
    this.#leave();
    this.sink.onRequestUpgrade(this, status, fields, socket);
  }

  /** Ends it with an error, and its connection with it. */
  fail(error: Error): void {
    if (this.isOver) return;
    const { connection } = this;
    this.#leave();
    connection?.destroy();
    this.sink.onResponseError(this, error);
  }

  /** It never began. */
  refuse(error: Error): void {
    if (this.isOver) return;
    this.isOver = true;
    this.sink.onResponseError(null, error);
  }

  #leave(): void {
    this.isOver = true;
    this.connection = undefined;
  }
}
