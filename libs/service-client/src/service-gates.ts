import {
  bulkhead,
  BulkheadFullError,
  RateLimitedError,
  rateLimiter,
  type Bulkhead,
  type BulkheadOptions,
  type RateLimiter,
  type RateLimiterOptions,
} from '@mesh/resilience';

/** How many calls of one service may be under way, and how many may begin. */
export interface GateOptions {
  /** At most so many calls at a time; a bounded number may wait (`maxQueue`, default 0). Its slot is free when the body has ended. */
  readonly bulkhead?: BulkheadOptions;
  /** At most so many calls in a time; nobody waits. */
  readonly rateLimit?: Omit<RateLimiterOptions, 'maxWaitMs' | 'retryAfterMs'>;
}

/** A call that wants in. */
export interface Entrant {
  /** It may go on; `leave` is called when it has ended. */
  enter(leave: () => void): void;
  /** It is refused. */
  refuse(error: Error): void;
  /** It waits; `giveUp` is called when it does not want in any more. */
  wait(giveUp: () => void): void;
}

/** When it is worth asking again, where nobody knows, in milliseconds. */
const usualRetryAfterMs = 1000;

/**
 * The gates before one service: first the rate, which costs nothing to refuse, then the room. They count calls, not attempts, so that a
 * call that was let in is not stopped half-way by its own retry.
 */
export class ServiceGates {
  readonly #name: string;
  readonly #bulkhead: Bulkhead | undefined;
  readonly #limiter: RateLimiter | undefined;
  readonly #maxQueue: number;

  /** @throws RangeError when an option is out of range. */
  constructor(name: string, options: GateOptions) {
    this.#name = name;
    this.#bulkhead = options.bulkhead && bulkhead({ name, ...options.bulkhead });
    this.#limiter = options.rateLimit && rateLimiter({ name, ...options.rateLimit });
    this.#maxQueue = options.bulkhead?.maxQueue ?? 0;
  }

  /** Calls inside, and calls that wait. */
  get load(): { readonly active: number; readonly queued: number } {
    return { active: this.#bulkhead?.active ?? 0, queued: this.#bulkhead?.queued ?? 0 };
  }

  /** Lets a call in, at once where it can. */
  admit(call: Entrant): void {
    if (this.#limiter !== undefined && this.#limiter.tryAcquire() === undefined) {
      call.refuse(new RateLimitedError(this.#name, Math.ceil(this.#limiter.retryAfterMs)));
      return;
    }
    if (this.#bulkhead === undefined) {
      call.enter(nothing);
      return;
    }
    const permit = this.#bulkhead.tryAcquire();
    if (permit !== undefined)
      call.enter(() => {
        permit.settle('success');
      });
    else if (this.#maxQueue === 0) this.#refuse(call, new BulkheadFullError(this.#name, 'queue-full'));
    else this.#queue(this.#bulkhead, call);
  }

  #queue(room: Bulkhead, call: Entrant): void {
    const abort = new AbortController();
    let isGone = false;
    call.wait(() => {
      isGone = true;
      abort.abort();
    });
    room.acquire({ signal: abort.signal }).then(
      (permit) => {
        if (isGone) permit.settle('ignored');
        else
          call.enter(() => {
            permit.settle('success');
          });
      },
      (error: unknown) => {
        if (isGone) this.#limiter?.giveBack();
        else this.#refuse(call, error as Error);
      },
    );
  }

  /** Who found no room has not used the rate. */
  #refuse(call: Entrant, error: Error): void {
    this.#limiter?.giveBack();
    call.refuse(Object.assign(error, { retryAfterMs: usualRetryAfterMs }));
  }
}

const nothing = (): void => undefined;
