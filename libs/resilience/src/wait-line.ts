/** One who waits: for a slot, or for permits. */
export class Waiter {
  readonly weight: number;
  /** When the wait has been too long. */
  readonly deadline: number;
  readonly since: number;
  /** Lets it go on. */
  readonly grant: () => void;
  /** Sends it away. */
  readonly refuse: (error: Error) => void;
  /** Ends the listening to its abort. */
  unlisten: (() => void) | undefined = undefined;
  waiting = false;
  next: Waiter | undefined = undefined;
  previous: Waiter | undefined = undefined;

  constructor(
    weight: number,
    since: number,
    maxWaitMs: number,
    grant: () => void,
    refuse: (error: Error) => void,
  ) {
    this.weight = weight;
    this.since = since;
    this.deadline = since + maxWaitMs;
    this.grant = grant;
    this.refuse = refuse;
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
    waiter.waiting = false;
    const { next, previous } = waiter;
    if (previous === undefined) this.first = next;
    else previous.next = next;
    if (next === undefined) this.last = previous;
    else next.previous = previous;
    waiter.next = waiter.previous = undefined;
    this.size--;
    this.weight -= waiter.weight;
    waiter.unlisten?.();
    return true;
  }
}
