import type { Exchange } from './exchange.ts';

/** Requests that wait for a connection, first come first served. */
export class WaitingLine {
  size = 0;
  #first: Exchange | undefined;
  #last: Exchange | undefined;

  add(exchange: Exchange): void {
    if (this.#last === undefined) this.#first = exchange;
    else this.#last.next = exchange;
    this.#last = exchange;
    this.size++;
  }

  take(): Exchange | undefined {
    const first = this.#first;
    if (first === undefined) return undefined;
    this.#first = first.next;
    if (this.#first === undefined) this.#last = undefined;
    first.next = undefined;
    this.size--;
    return first;
  }
}
