import { Readable } from 'node:stream';
import { Attempt } from './attempt.ts';
import { CallFlow } from './call-flow.ts';
import type { CallContext, ServiceDispatchOptions } from './call-context.ts';
import type { CallRules } from './call-policy.ts';
import { withDebugHeaders } from './debug-headers.ts';
import { errorKind, toError, type ErrorKind } from './error-kind.ts';
import { TimeoutError } from './errors.ts';
import type { EventClock } from './event-clock.ts';
import type { CallHeaders } from './headers.ts';
import { isIdempotent, isHeld, mayRetry, readRetryAfterMs, retryDelayMs } from './retry-policy.ts';
import type { AttemptFailure } from './retry-policy.ts';
import type { ServicePool } from './service-pool.ts';
import { Rivals } from './rivals.ts';
import type { Entrant, ServiceGates } from './service-gates.ts';
import type { Stack } from './stack.ts';
import type { Fields, Handler } from './transport.ts';

/** What belongs to one call. */
export interface CallParts {
  readonly options: ServiceDispatchOptions;
  readonly handler: Handler;
  readonly context: CallContext;
  readonly rules: CallRules;
  readonly headers: CallHeaders;
  /** The service's, when it has been called before. */
  readonly pool: ServicePool | undefined;
  /** Name of the service, or the fixed origin. */
  readonly name: string;
  readonly isService: boolean;
}

const ignoreError = (): undefined => undefined;

/**
 * One call, all in one object: attempts follow each other until one is passed on. It is also the controller that the caller keeps while
 * attempts come and go, from before the first connection, so an abort takes effect during look-up, connect and back-off as well; and it
 * is the one alarm for its deadline and the limits of its attempts.
 *
 * ```
 *   attempt --retryable, allowed, in budget--> back-off --> attempt
 *      | head passed on                           |
 *      v                                          | abort or deadline
 *   passing --end, error, abort, deadline--> over <+
 * ```
 *
 * Nothing is retried once a byte of a response head was passed on.
 */
export class Call extends CallFlow implements Entrant {
  readonly stack: Stack;
  readonly options: ServiceDispatchOptions;
  readonly handler: Handler;
  readonly context: CallContext;
  readonly rules: CallRules;
  /** Of the service, or the fixed origin. */
  readonly name: string;
  readonly headers: CallHeaders;
  readonly isService: boolean;
  /** Of the service, as the newest attempt found it. */
  pool: ServicePool | undefined;
  retries = 0;
  /** When the whole call has to be over. */
  deadlineAt = Infinity;
  readonly startedAt: number;
  /** Longest silence of an attempt before its head, in milliseconds; 0 = no limit. */
  readonly attemptTimeoutMs: number;
  /** Longest silence between two chunks of a body, in milliseconds; 0 = no limit. */
  readonly bodyTimeoutMs: number;
  /** The newest attempt. */
  #attempt: Attempt | undefined = undefined;
  #over = false;
  #told = false;
  #rescued = false;
  #backoff: unknown = undefined;
  /** Attempts beside the newest, once there are any. */
  #rivals: Rivals | undefined = undefined;
  #hedges = 0;
  #hedge: unknown = undefined;
  /** Gives back what the gates gave, or the place in their queue. */
  #leave: (() => void) | undefined = undefined;

  constructor(stack: Stack, { options, handler, context, rules, headers, pool, name, isService }: CallParts) {
    super();
    this.stack = stack;
    this.options = options;
    this.handler = handler;
    this.context = context;
    this.rules = rules;
    this.headers = headers;
    this.pool = pool;
    this.name = name;
    this.isService = isService;
    this.attemptTimeoutMs = options.headersTimeout ?? rules.attemptTimeoutMs;
    this.bodyTimeoutMs = options.bodyTimeout ?? rules.bodyTimeoutMs;
    this.startedAt = stack.clock.read();
  }

  get clock(): EventClock {
    return this.stack.clock;
  }

  start(gates: ServiceGates | undefined): void {
    this.handler.onRequestStart?.(this, null);
    if (this.#over) return;
    this.#arm(this.deadlineAt, this.startedAt);
    if (gates === undefined) this.#next(false);
    else gates.admit(this);
  }

  enter(leave: () => void): void {
    const waited = this.#leave !== undefined;
    this.#leave = leave;
    if (waited) this.clock.read();
    this.#next(false);
  }

  wait(giveUp: () => void): void {
    this.#leave = giveUp;
  }

  refuse(error: Error): void {
    if (this.#over) return;
    this.#leave = undefined;
    this.#fail(error);
  }

  /** The attempt has been sent, or has made progress: its silence counts from now. */
  putOff(attempt: Attempt): void {
    // In the turn in which it began nothing has to be put off; that is the rule for requests without a body.
    if (attempt.dueAt === Infinity || attempt.startedAt === this.clock.now()) return;
    attempt.dueAt = this.clock.read() + this.attemptTimeoutMs;
  }

  /** Begins to count the silence of an attempt: `limitMs` from `now`, 0 = no limit. */
  limit(attempt: Attempt, limitMs: number, now: number): void {
    attempt.dueAt = limitMs === 0 ? Infinity : now + limitMs;
    this.#arm(attempt.dueAt, now);
  }

  /** The alarm is set for the earliest of its times, and only put off when it rings: most calls are over by then. */
  ring(): void {
    const now = this.clock.read();
    if (this.deadlineAt <= now) {
      this.#expire();
      return;
    }
    for (const rival of this.#rivals?.silent(now) ?? []) this.#silent(rival, now);
    const attempt = this.#attempt;
    if (attempt !== undefined && attempt.dueAt <= now) this.#silent(attempt, now);
    if (this.#over) return;
    const silentAt = Math.min(this.#attempt?.dueAt ?? Infinity, this.#rivals?.dueAt ?? Infinity);
    this.#arm(Math.min(this.deadlineAt, silentAt), now);
  }

  kindOf(error: Error, sent: boolean): ErrorKind {
    const kind = errorKind(error, sent);
    const { codes } = this.rules;
    if (kind !== 'other' || codes === undefined) return kind;
    return codes.has(String((error as { code?: unknown }).code)) ? 'network' : kind;
  }

  /** A final head has come: true when it is passed on, false when the attempt is discarded for a retry. */
  head(attempt: Attempt, status: number, headers: Fields): boolean {
    if (this.passed === undefined && status >= 400) {
      const retryAfterMs = readRetryAfterMs(headers['retry-after']);
      const failure = { sent: true, connection: false, retryAfterMs };
      if (!this.stack.retries) this.#report(failure);
      else if (this.rules.statuses.has(status)) {
        if (this.#yield(attempt)) {
          attempt.cancel(undefined);
          return false;
        }
        if (this.#retry(failure)) return false;
      }
    }
    this.pass(attempt);
    this.#tell(status, undefined, false);
    return true;
  }

  /** From here on the caller sees this attempt, for better or worse. */
  pass(attempt: Attempt): void {
    this.passed = attempt;
    if (this.#rivals === undefined) return;
    this.#rivals.drop(attempt);
    this.#rivals.cancel(undefined);
    if (this.#attempt !== attempt) this.#attempt?.cancel(undefined);
    this.#attempt = attempt;
  }

  /** The response has ended. */
  end(): void {
    this.#finish();
  }

  /** The attempt broke off. */
  fail(attempt: Attempt, error: Error, kind: ErrorKind, isStale = false): void {
    if (this.#over || this.#yield(attempt) || attempt !== this.#attempt) return;
    const failure = { sent: this.context.sent ?? attempt.sent, connection: true };
    if (!this.stack.retries) this.#report(failure);
    else if (this.passed === undefined && kind !== 'other') {
      if (isStale && this.#rescue()) return;
      if (this.#retry(failure)) return;
    }
    this.#fail(error);
  }

  told(attempt: Attempt, error: Error | undefined): void {
    this.stack.attemptEnded(this, attempt, error);
  }

  /** The headers of an answer as the caller gets them. */
  debug(attempt: Attempt, headers: Fields): Fields {
    return this.stack.debugHeaders ? withDebugHeaders(this, attempt, headers) : headers;
  }

  /** One of several attempts has failed: the call goes on with the others. False when there is no other. */
  #yield(attempt: Attempt): boolean {
    if (this.passed !== undefined || this.#rivals === undefined) return false;
    if (this.#rivals.drop(attempt)) return true;
    if (attempt !== this.#attempt || this.#rivals.count === 0) return false;
    this.#attempt = this.#rivals.take();
    return true;
  }

  #fail(error: Error): void {
    this.#finish();
    this.#tell(undefined, error, false);
    this.handler.onResponseError?.(this, error);
  }

  #silent(attempt: Attempt, now: number): void {
    const isBody = attempt.status !== undefined;
    // Who asked for a pause is not waiting.
    if (isBody && attempt.flow?.paused === true) attempt.dueAt = now + this.bodyTimeoutMs;
    else attempt.expire(isBody ? this.bodyTimeoutMs : this.attemptTimeoutMs);
  }

  #arm(dueAt: number, now: number): void {
    if (dueAt === Infinity) return;
    const { wheel } = this.stack;
    if (this.next !== undefined) {
      if (this.dueAt <= dueAt) return;
      wheel.disarm(this);
    }
    wheel.arm(this, dueAt - now, now);
  }

  #expire(): void {
    const timeoutMs = Math.round(this.deadlineAt - this.startedAt);
    const { instance } = this.context;
    this.stop(
      new TimeoutError(`the call did not end within ${timeoutMs} ms`, { timeoutMs, instance }),
      false,
    );
  }

  #next(fresh: boolean): void {
    if (this.#over) return;
    // What is left of a discarded answer must not outlive the back-off.
    this.#attempt?.cancel(undefined);
    if (!this.isService) this.context.sent = undefined;
    this.#send(fresh);
    if (this.rules.maxHedges > 0) this.#planHedge();
  }

  #send(fresh: boolean): void {
    const attempt = new Attempt(this);
    this.#attempt = attempt;
    try {
      this.stack.send(this, attempt, fresh);
    } catch (error) {
      attempt.onResponseError(null, toError(error));
    }
  }

  /** Beside an attempt that is slow another is made, at another instance; the first good answer is passed on. */
  #planHedge(): void {
    const { rules, options } = this;
    this.stack.timers.clear(this.#hedge);
    if (this.#over || this.passed !== undefined || this.#hedges >= rules.maxHedges) return;
    if (!isHeld(options.body) || !isIdempotent(options)) return;
    this.#hedge = this.stack.timers.set(() => {
      this.#sendBeside();
    }, rules.hedgeDelayMs);
  }

  #sendBeside(): void {
    const slow = this.#attempt;
    if (this.#over || this.passed !== undefined || slow?.state !== 'live') return;
    this.clock.read();
    if (!this.stack.hasOthers(this) || !this.stack.withdraw(this)) return;
    this.#hedges += 1;
    this.stack.hedged(this);
    (this.#rivals ??= new Rivals()).add(slow);
    this.#send(false);
    this.#planHedge();
  }

  /** One extra try for a connection that was closed as idle, at once and on a fresh one: not a retry, and nobody's failure. */
  #rescue(): boolean {
    if (this.#rescued || !isHeld(this.options.body) || !isIdempotent(this.options)) return false;
    this.#rescued = true;
    this.stack.rescued(this);
    queueMicrotask(() => {
      this.#next(true);
    });
    return true;
  }

  /** Plans the next attempt if the rules, the time left and the budget allow one. */
  #retry(failure: AttemptFailure): boolean {
    const delayMs = this.#delayMs(failure);
    if (delayMs === undefined || !this.stack.withdraw(this)) return false;
    this.retries += 1;
    this.stack.retried(this, delayMs);
    const { body } = this.options;
    // Between two attempts nobody listens to a stream, and an 'error' nobody listens to ends the process.
    if (body instanceof Readable) body.once('error', ignoreError);
    if (delayMs === 0)
      queueMicrotask(() => {
        this.clock.read();
        this.#next(false);
      });
    // Not unref'd: like an open socket, a call in flight may keep the process for the moment of its back-off.
    else
      this.#backoff = this.stack.timers.set(() => {
        this.clock.read();
        this.#next(false);
      }, delayMs);
    return true;
  }

  /** Without retries of its own it tells what a retry above it has to know. */
  #report({ sent }: AttemptFailure): void {
    this.context.sent = sent;
    this.context.othersLeft = this.stack.hasOthers(this);
  }

  #delayMs(failure: AttemptFailure): number | undefined {
    const { options, rules } = this;
    if (this.retries >= rules.maxRetries || !mayRetry(options, failure)) return undefined;
    const othersLeft = this.stack.hasOthers(this);
    if (rules.elsewhereOnly && !othersLeft && !failure.connection) return undefined;
    const delayMs = retryDelayMs(rules, this.stack.random, this.retries + 1, failure, othersLeft);
    return delayMs !== undefined && delayMs < this.deadlineAt - this.clock.now() ? delayMs : undefined;
  }

  /** The caller's abort, or the deadline. */
  protected override stop(reason: Error, aborted: boolean): void {
    if (this.#over) return;
    this.clock.read();
    this.#finish();
    this.#attempt?.cancel(reason);
    this.#rivals?.cancel(reason);
    this.#tell(undefined, reason, aborted);
    this.handler.onResponseError?.(this, reason);
  }

  #finish(): void {
    this.#over = true;
    this.stack.wheel.disarm(this);
    if (this.#backoff !== undefined) this.stack.timers.clear(this.#backoff);
    if (this.#hedge !== undefined) this.stack.timers.clear(this.#hedge);
    const leave = this.#leave;
    if (leave === undefined) return;
    this.#leave = undefined;
    leave();
  }

  #tell(status: number | undefined, error: Error | undefined, aborted: boolean): void {
    if (this.#told) return;
    this.#told = true;
    this.stack.callEnded(this, status, error, aborted);
  }
}
