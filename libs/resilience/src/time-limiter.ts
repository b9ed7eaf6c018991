import { Call, idleCall, type CallContext, type CallResult } from './call.ts';
import { FifoDeadlines, OwnDeadlines, type Deadlines, type Expiring } from './deadlines.ts';
import { discard } from './dispose.ts';
import { Events, type Fault } from './events.ts';
import type { Next } from './policy.ts';
import { Protection } from './protection.ts';
import { atLeastZero, outOfRange, positive } from './range.ts';
import { rejection } from './start.ts';
import { platformClock, platformTimers, type Clock, type Timers } from './time.ts';
import { timeoutError, type TimeoutError } from './timeout-error.ts';

/** Options of a time limiter. */
export interface TimeLimiterOptions {
  /** The time that a call has, in milliseconds, > 0; or a function that answers it for each call (Infinity: no limit). */
  readonly timeoutMs: number | ((context: CallContext) => number);
  /**
   * `race` (default): the call rejects when its time is up, whatever the function does. `cooperative`: the function is told by its
   * signal and awaited; a value that it still returns is the answer, and what it throws is the cause of the TimeoutError.
   */
  readonly mode?: 'race' | 'cooperative';
  /** Default `performance`. */
  readonly clock?: Clock;
  /** Default `setTimeout`. */
  readonly timers?: Timers;
}

/** What a time limiter tells, by event name. */
export interface TimeLimiterEvents {
  /** The time of a call was up. */
  timeout: { readonly error: TimeoutError };
  /** What came after that, and reached nobody (race mode). A value has been disposed of. */
  late: { readonly result: CallResult };
  fault: Fault;
}

/** What the calls of one limit have in common. */
interface Limit {
  readonly timeoutMs: number;
  readonly onExpire: (error: TimeoutError) => void;
}

/**
 * A call with a time of its own. It is itself the entry among the deadlines: one object less for each call. Times are whole milliseconds,
 * rounded up, which the engine keeps in place; a fraction would cost an object.
 */
class LimitedCall extends Call implements Expiring {
  /** See {@link idleCall}. */
  static readonly idle = new LimitedCall(idleCall, { timeoutMs: 1, onExpire: () => undefined }, 0);
  readonly endsAt: number;
  readonly #limit: Limit;
  next: Expiring | undefined = undefined;
  previous: Expiring | undefined = undefined;
  expired = false;
  reject: ((error: TimeoutError) => void) | undefined = undefined;

  constructor(parent: Call, limit: Limit, now: number) {
    const endsAt = Math.ceil(now + limit.timeoutMs);
    const { deadline } = parent;
    super(parent.fn, parent.attempt, deadline !== undefined && deadline < endsAt ? deadline : endsAt, parent);
    this.endsAt = endsAt;
    this.#limit = limit;
  }

  /** The error of this call's end, with what the function threw after it as its cause. */
  error(options?: ErrorOptions): TimeoutError {
    return timeoutError(this.#limit.timeoutMs, options);
  }

  expire(): void {
    const error = this.error();
    this.expired = true;
    this.abort(error);
    this.reject?.(error);
    this.#limit.onExpire(error);
  }
}

/** Limits the time of a call; made by {@link timeLimiter}. */
export class TimeLimiter extends Protection {
  readonly #timeoutMs: TimeLimiterOptions['timeoutMs'];
  readonly #cooperative: boolean;
  readonly #clock: Clock;
  readonly #deadlines: Deadlines;
  readonly #events = new Events<TimeLimiterEvents>();
  /** @throws RangeError when an option is out of range. */
  constructor({
    timeoutMs,
    mode = 'race',
    clock = platformClock,
    timers = platformTimers,
  }: TimeLimiterOptions) {
    super();
    const own = typeof timeoutMs === 'function';
    this.#timeoutMs = own ? timeoutMs : positive('timeLimiter: timeoutMs', timeoutMs);
    if (!['race', 'cooperative'].includes(mode)) {
      throw outOfRange('timeLimiter: mode', 'race or cooperative', mode);
    }
    this.#cooperative = mode === 'cooperative';
    this.#clock = clock;
    this.#deadlines = own ? new OwnDeadlines(clock, timers) : new FifoDeadlines(clock, timers);
  }

  /** Listens to one kind of event. @returns the way to stop. */
  on<K extends keyof TimeLimiterEvents>(
    type: K,
    listener: (event: TimeLimiterEvents[K]) => unknown,
  ): () => void {
    return this.#events.on(type, listener);
  }

  layer<T>(next: Next<T>): Next<T> {
    const timeoutMs = this.#timeoutMs;
    const run = (call: Call, limit: Limit): Promise<T> => {
      const limited = new LimitedCall(call, limit, this.#clock.now());
      return this.#cooperative ? this.#await(next, limited) : this.#race(next, limited);
    };
    if (typeof timeoutMs === 'number') {
      const limit = this.#limit(timeoutMs);
      return (call) => run(call, limit);
    }
    return (call) => {
      try {
        const ownMs = atLeastZero('timeLimiter: timeoutMs', timeoutMs(call), Infinity);
        return ownMs === Infinity ? next(call) : run(call, this.#limit(ownMs));
      } catch (error) {
        return rejection(error);
      }
    };
  }

  #limit(timeoutMs: number): Limit {
    return {
      timeoutMs,
      onExpire: (error) => {
        if (this.#events.active) this.#events.emit('timeout', { error });
      },
    };
  }

  #race<T>(next: Next<T>, call: LimitedCall): Promise<T> {
    // Not by Promise.withResolvers, which costs a fifth more.
    return new Promise((resolve, reject) => {
      call.reject = reject;
      this.#deadlines.add(call);
      next(call).then(
        (value) => {
          if (this.#end(call)) resolve(value);
          else this.#late({ ok: true, value });
        },
        (error: unknown) => {
          // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors -- passed on as it was thrown
          if (this.#end(call)) reject(error);
          else this.#late({ ok: false, error });
        },
      );
    });
  }

  #await<T>(next: Next<T>, call: LimitedCall): Promise<T> {
    this.#deadlines.add(call);
    return next(call).then(
      (value) => {
        this.#end(call);
        return value;
      },
      (error: unknown) => {
        if (this.#end(call) || error === call.reason) throw error;
        throw call.error({ cause: error });
      },
    );
  }

  /** The call has settled. @returns whether in time. */
  #end(call: LimitedCall): boolean {
    call.end();
    if (call.expired) return false;
    this.#deadlines.remove(call);
    return true;
  }

  #late(result: CallResult): void {
    if (this.#events.active) this.#events.emit('late', { result });
    if (result.ok) discard(result.value);
  }
}

/**
 * Limits the time of a call. Each call has a signal of its own, which a success does not abort: a body that is still read is not cut.
 * The deadline is handed on in `context.deadline`; an outer one that is earlier stays.
 *
 * @throws RangeError when an option is out of range.
 * @example
 * const quick = timeLimiter({ timeoutMs: 1000 });
 * const answer = await quick.execute(({ signal }) => fetch(url, { signal })); // or a TimeoutError
 */
export function timeLimiter(options: TimeLimiterOptions): TimeLimiter {
  return new TimeLimiter(options);
}
