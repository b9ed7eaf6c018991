import type { RawHeaders } from '../forward/hop-headers.ts';
import type { Flow } from '../passage.ts';
import type { BodyLog } from './body-log.ts';
import type { Reader } from './reader.ts';

/** Where a seat belongs. */
export interface Table {
  leave(seat: Seat, reason: Error): void;
  resumed(seat: Seat): void;
}

/** A reader at a fill: how far it has read, at its own pace. */
export class Seat implements Flow {
  readonly reader: Reader;
  readonly #table: Table;
  /** Index in the log of what comes next. */
  at = 0;
  sentBytes = 0;
  isPaused = false;
  #rest: Buffer | undefined;
  #trailers: RawHeaders = [];
  #isOver = false;

  constructor(reader: Reader, table: Table) {
    this.reader = reader;
    this.#table = table;
  }

  abort(reason: Error): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#table.leave(this, reason);
  }

  resume(): void {
    this.isPaused = false;
    if (this.#isOver) return;
    if (this.#rest === undefined) this.#table.resumed(this);
    else this.#sendRest(this.#rest);
  }

  /** Gives the reader what the log has for it, until it asks for a pause. */
  pump(log: BodyLog): void {
    while (!this.#isOver && !this.isPaused) {
      const chunk = log.get(this.at);
      if (chunk === undefined) return;
      this.at++;
      this.sentBytes += chunk.length;
      if (!this.reader.parts.sink.data(chunk)) this.isPaused = true;
    }
  }

  /** No more will come: ends, now or when the reader has taken the rest. */
  end(rest: Buffer, trailers: RawHeaders): void {
    if (this.#isOver) return;
    this.#trailers = trailers;
    if (this.isPaused && rest.length > 0) this.#rest = rest;
    else this.#sendRest(rest);
  }

  /** The reader was answered in another way, or waits elsewhere. */
  vacate(): void {
    this.#isOver = true;
  }

  fail(error: Error): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.reader.parts.sink.fail(error);
  }

  #sendRest(rest: Buffer): void {
    if (rest.length > 0) this.reader.parts.sink.data(rest);
    // The sink may have gone away at the data.
    if (this.#isOver) return;
    this.#isOver = true;
    this.reader.parts.sink.end(this.#trailers);
  }
}
