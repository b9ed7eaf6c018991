import type { CallSignal } from '@mesh/circuit-breaker';
import { both, newController } from './abort-signal.ts';

/** What a protected function is given. */
export interface CallContext {
  /**
   * Aborts when the caller gives up, a time limit ends or another attempt has won. It does not abort because the call succeeded: a body
   * that is still read is not cut. Made when it is first read.
   */
  readonly signal: CallSignal;
  /** 1 for the first attempt, 2 for the first retry or hedge ... */
  readonly attempt: number;
  /** When the time for this call is up, in milliseconds of `performance.now()` (the limiter's clock); undefined without a limit. */
  readonly deadline: number | undefined;
}

/** A function that can be protected. */
export type CallFunction<T> = (context: CallContext) => T | PromiseLike<T>;

/** How a call ended. */
export type CallResult<T = unknown> =
  { readonly ok: true; readonly value: T } | { readonly ok: false; readonly error: unknown };

/** What is special about one attempt; the rest is its parent's. */
export interface Attempt {
  readonly attempt?: number;
  readonly deadline?: number | undefined;
}

/**
 * One call on its way through the layers, or one attempt of it. A layer that wants to end what is inside it (a time limit, a hedge)
 * passes on a child and aborts that. An abort reaches all children; a child's abort stays below.
 *
 * It is light: an `AbortController` is made when the function reads `signal`, and a child listens to its parent only while
 * somebody listens to it.
 */
export class Call implements CallContext {
  /** The protected function. */
  readonly fn: CallFunction<unknown>;
  readonly attempt: number;
  readonly deadline: number | undefined;
  readonly #parent: Call | undefined;
  /** The caller's own at the root, which outlives the call; else made when it is read. */
  #signal: CallSignal | undefined;
  #abort: { readonly reason: unknown } | undefined;
  #listeners: Set<{ readonly listener: () => void }> | undefined;
  #unfollow: (() => void) | undefined;
  #paid: { deposit(): void } | undefined;

  constructor(fn: CallFunction<unknown>, attempt = 1, deadline?: number, parent?: Call, signal?: CallSignal) {
    this.fn = fn;
    this.attempt = attempt;
    this.deadline = deadline;
    this.#parent = parent;
    this.#signal = signal;
    if (parent !== undefined) this.#paid = parent.#paid;
  }

  /** Whether nobody waits for this call any more. */
  get aborted(): boolean {
    return this.#abort !== undefined || (this.#parent !== undefined && this.#parent.aborted);
  }

  /** Why, once {@link aborted}. */
  get reason(): unknown {
    return this.#abort === undefined ? this.#parent?.reason : this.#abort.reason;
  }

  get signal(): CallSignal {
    return (this.#signal ??= this.#makeSignal());
  }

  /** The same call for another attempt, or with less time. Whoever makes a child tells its {@link end}. */
  child({ attempt = this.attempt, deadline = this.deadline }: Attempt = {}): Call {
    return new Call(this.fn, attempt, deadline, this);
  }

  /** Counts this call as one request of a budget; once, however many layers share the budget. */
  payInto(budget: { deposit(): void }): void {
    if (this.#paid === budget) return;
    this.#paid = budget;
    budget.deposit();
  }

  /** Ends this call and its children, and says why; the first reason counts. */
  abort(reason: unknown): void {
    if (this.#abort !== undefined) return;
    this.#abort = { reason: this.aborted ? this.reason : reason };
    this.end();
    const listeners = this.#listeners ?? [];
    this.#listeners = undefined;
    for (const { listener } of listeners) run(listener);
  }

  /**
   * Calls `listener` when this call aborts; at once if it has. What it throws ends up as an unhandled rejection, and stops neither
   * the abort nor the other listeners.
   *
   * @returns the way to stop listening.
   */
  onAbort(listener: () => void): () => void {
    if (this.aborted) {
      run(listener);
      return () => undefined;
    }
    const entry = { listener };
    (this.#listeners ??= new Set()).add(entry);
    this.#follow();
    return () => {
      this.#listeners?.delete(entry);
    };
  }

  /** The call has settled: it lets go of its parent. A signal that it gave out still follows the caller's. */
  end(): void {
    this.#unfollow?.();
    this.#unfollow = undefined;
  }

  #makeSignal(): CallSignal {
    const controller = newController();
    this.onAbort(() => {
      controller.abort(this.reason);
    });
    return both(controller.signal, this.#outermost().#signal);
  }

  #outermost(): Call {
    return this.#parent === undefined ? this : this.#parent.#outermost();
  }

  #follow(): void {
    const parent = this.#parent;
    this.#unfollow ??= parent?.onAbort(() => {
      this.abort(parent.reason);
    });
  }
}

/**
 * A call that is never made, one of each kind. Without them a full garbage collection at a moment without calls would take the hidden class of
 * all calls, and with it the optimised code of everything that they pass through.
 */
export const idleCall = new Call(() => undefined);

function run(listener: () => void): void {
  try {
    listener();
  } catch (error) {
    // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors -- passed on as it was thrown
    void Promise.reject(error);
  }
}
