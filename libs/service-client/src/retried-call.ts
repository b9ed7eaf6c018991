import { Readable } from 'node:stream';
import type { RetryBudget, Timers } from '@mesh/resilience';
import { Attempt, type AttemptOwner } from './attempt.ts';
import { errorKind, toError } from './error-kind.ts';
import { TimeoutError } from './errors.ts';
import { CallController, detached } from './call-controller.ts';
import type { CallContext, ServiceDispatchOptions } from './call-context.ts';
import { mayRetry, readRetryAfterMs, retryDelayMs } from './retry-policy.ts';
import type { AttemptFailure, BackoffPolicy } from './retry-policy.ts';
import type { Controller, Dispatch, Handler, ResponseHeaders } from './undici-types.ts';

/** How a call ended, told once: at the final response headers or at the error that the caller gets. */
export interface CallResult {
  /** Status of the final answer; undefined when there was none. */
  readonly status: number | undefined;
  /** The error that the caller gets. */
  readonly error: Error | undefined;
  /** Whether the caller gave up. */
  readonly aborted: boolean;
  /** From the start of the call, back-off included, in milliseconds. */
  readonly latencyMs: number;
  /** Retries made. */
  readonly retries: number;
}

/** Everything that all calls of one `retry()` have in common. */
export interface RetryPolicy extends BackoffPolicy {
  readonly maxRetries: number;
  readonly statuses: ReadonlySet<number>;
  readonly timers: Timers;
  readonly clock: { now(): number };
  readonly observe: ((result: CallResult) => void) | undefined;
}

/** What belongs to one call. */
export interface Call {
  readonly dispatch: Dispatch;
  readonly options: ServiceDispatchOptions;
  readonly handler: Handler;
  readonly context: CallContext;
  readonly budget: RetryBudget;
}

const ignoreError = (): undefined => undefined;

/**
 * One call: attempts follow each other until one is passed on.
 *
 *   attempt --retryable, allowed, in budget--> back-off --> attempt
 *      | head passed on                           |
 *      v                                          | abort or deadline
 *   passing --end, error, abort, deadline--> over <+
 *
 * Nothing is retried once a byte of a response head was passed on.
 */
export class RetriedCall implements AttemptOwner {
  readonly #call: Call;
  readonly #policy: RetryPolicy;
  readonly #controller = new CallController((reason) => {
    this.#stop(reason, true);
  });
  readonly #startedAt: number;
  #attempt: Attempt | undefined;
  #retries = 0;
  #passing = false;
  #over = false;
  #told = false;
  #backoff: unknown;
  #deadline: unknown;

  constructor(call: Call, policy: RetryPolicy) {
    this.#call = call;
    this.#policy = policy;
    this.#startedAt = policy.clock.now();
  }

  start(): void {
    const { context, budget, handler } = this.#call;
    budget.deposit();
    handler.onRequestStart?.(this.#controller, null);
    if (this.#over) return;
    if (context.timeoutMs !== undefined && context.timeoutMs > 0) this.#keepDeadline(context.timeoutMs);
    this.#next();
  }

  head(attempt: Attempt, status: number, headers: ResponseHeaders): boolean {
    if (!this.#passing && this.#policy.statuses.has(status)) {
      const failure = {
        sent: true,
        connection: false,
        retryAfterMs: readRetryAfterMs(headers['retry-after']),
      };
      if (this.#retry(failure)) return false;
    }
    this.pass(attempt);
    this.#tell(status, undefined, false);
    return true;
  }

  pass(attempt: Attempt): void {
    this.#passing = true;
    this.#controller.target = attempt.controller;
  }

  get caller(): { readonly handler: Handler; readonly controller: Controller } {
    return { handler: this.#call.handler, controller: this.#controller };
  }

  end(): void {
    this.#finish();
  }

  fail(sent: boolean, error: Error): void {
    const kind = errorKind(error, sent);
    if (!this.#passing && kind !== 'other' && this.#retry({ sent, connection: true })) return;
    this.#finish();
    this.#tell(undefined, error, false);
    this.#call.handler.onResponseError?.(this.#controller, error);
  }

  #keepDeadline(timeoutMs: number): void {
    const { timers } = this.#policy;
    const timer = timers.set(() => {
      const error = new TimeoutError(`the call did not end within ${timeoutMs} ms`, {
        timeoutMs,
        instance: this.#call.context.instance,
      });
      this.#stop(error, false);
    }, timeoutMs);
    // The socket of the attempt keeps the process, the deadline must not.
    (timer as { unref?(): unknown }).unref?.();
    this.#deadline = timer;
  }

  #next(): void {
    if (this.#over) return;
    // What is left of a discarded answer must not outlive the back-off.
    this.#attempt?.cancel(undefined);
    const attempt = new Attempt(this);
    this.#attempt = attempt;
    try {
      this.#call.dispatch(this.#call.options, attempt);
    } catch (error) {
      attempt.onResponseError(detached, toError(error));
    }
  }

  /** Plans the next attempt if the rules, the time left and the budget allow one. */
  #retry(failure: AttemptFailure): boolean {
    const delayMs = this.#delayMs(failure);
    if (delayMs === undefined || !this.#call.budget.tryWithdraw()) return false;
    this.#retries += 1;
    const { body } = this.#call.options;
    // Between two attempts nobody listens to a stream, and an 'error' nobody listens to ends the process.
    if (body instanceof Readable) body.once('error', ignoreError);
    if (delayMs === 0)
      queueMicrotask(() => {
        this.#next();
      });
    // Not unref'd: like an open socket, a call in flight may keep the process for the moment of its back-off.
    else
      this.#backoff = this.#policy.timers.set(() => {
        this.#next();
      }, delayMs);
    return true;
  }

  #delayMs(failure: AttemptFailure): number | undefined {
    const { options, context } = this.#call;
    if (this.#retries >= this.#policy.maxRetries || !mayRetry(options, failure)) return undefined;
    const delayMs = retryDelayMs(this.#policy, this.#retries + 1, failure, context.othersLeft ?? false);
    const leftMs =
      (context.timeoutMs ?? 0) > 0 ? this.#startedAt + (context.timeoutMs ?? 0) - this.#now() : Infinity;
    return delayMs !== undefined && delayMs < leftMs ? delayMs : undefined;
  }

  /** The caller's abort, or the deadline. */
  #stop(reason: Error, aborted: boolean): void {
    if (this.#over) return;
    this.#finish();
    this.#attempt?.cancel(reason);
    this.#tell(undefined, reason, aborted);
    this.#call.handler.onResponseError?.(this.#controller, reason);
  }

  #finish(): void {
    this.#over = true;
    this.#policy.timers.clear(this.#backoff);
    this.#policy.timers.clear(this.#deadline);
  }

  #tell(status: number | undefined, error: Error | undefined, aborted: boolean): void {
    if (this.#told) return;
    this.#told = true;
    const latencyMs = this.#now() - this.#startedAt;
    try {
      this.#policy.observe?.({ status, error, aborted, latencyMs, retries: this.#retries });
    } catch {
      // An observer's fault is not the call's.
    }
  }

  #now(): number {
    return this.#policy.clock.now();
  }
}
