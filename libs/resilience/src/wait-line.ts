import type { Call } from './call.ts';
import type { Next } from './policy.ts';

/** A queue that takes one who waits, and lets it go. */
export interface Queue {
  /** Takes it in. It may be let on, or sent away, before this returns. */
  add(waiter: Waiter): void;
  /** @returns false when it is not there any more. */
  leave(waiter: Waiter): boolean;
}

/** A call that waits: for a slot, or for permits. */
export class Waiter {
  readonly weight: number;
  readonly since: number;
  /** When the wait has been too long. */
  readonly deadline: number;
  waiting = false;
  next: Waiter | undefined = undefined;
  previous: Waiter | undefined = undefined;
  readonly #call: Call;
  readonly #run: Next<unknown>;
  #resolve!: (value: unknown) => void;
  #reject!: (reason: unknown) => void;
  #unlisten: (() => void) | undefined = undefined;

  constructor(call: Call, run: Next<unknown>, weight: number, since: number, maxWaitMs: number) {
    this.#call = call;
    this.#run = run;
    this.weight = weight;
    this.since = since;
    this.deadline = since + maxWaitMs;
  }

  /** Waits in a queue. @returns what the call comes to; it rejects with the reason when it is aborted before. */
  in(queue: Queue): Promise<unknown> {
    return new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
      queue.add(this);
      if (!this.waiting) return;
      this.#unlisten = this.#call.onAbort(() => {
        if (queue.leave(this)) this.refuse(this.#call.reason);
      });
    });
  }

  /** It has left the queue. */
  left(): void {
    this.waiting = false;
    this.next = this.previous = undefined;
    this.#unlisten?.();
  }

  /** Lets it go on. */
  grant(): void {
    this.#resolve(this.#run(this.#call));
  }

  /** Sends it away. */
  refuse(reason: unknown): void {
    this.#reject(reason);
  }
}

/** Those who wait, in order of arrival: a linked list, so that any of them may leave in O(1). */
export class WaitLine {
  first: Waiter | undefined = undefined;
  last: Waiter | undefined = undefined;
  size = 0;
  /** Sum of the weights. */
  weight = 0;

  add(waiter: Waiter): void {
    waiter.waiting = true;
    waiter.previous = this.last;
    if (this.last === undefined) this.first = waiter;
    else this.last.next = waiter;
    this.last = waiter;
    this.size++;
    this.weight += waiter.weight;
  }

  /** Takes one out. @returns false when it has left before. */
  remove(waiter: Waiter): boolean {
    if (!waiter.waiting) return false;
    const { next, previous } = waiter;
    if (previous === undefined) this.first = next;
    else previous.next = next;
    if (next === undefined) this.last = previous;
    else next.previous = previous;
    this.size--;
    this.weight -= waiter.weight;
    waiter.left();
    return true;
  }
}
