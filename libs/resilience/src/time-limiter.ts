import { Call, type CallContext, type CallResult } from './call.ts';
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

/** A call with a time of its own. It is itself the entry among the deadlines: one object less for each call. */
class LimitedCall extends Call implements Expiring {
  readonly timeoutMs: number;
  readonly endsAt: number;
  readonly #onExpire: (call: LimitedCall) => void;
  next: Expiring | undefined = undefined;
  previous: Expiring | undefined = undefined;
  /** Once the time is up. */
  error: TimeoutError | undefined = undefined;
  reject: ((error: TimeoutError) => void) | undefined = undefined;

  constructor(parent: Call, timeoutMs: number, now: number, onExpire: (call: LimitedCall) => void) {
    const endsAt = now + timeoutMs;
    super(parent.fn, parent.attempt, Math.min(endsAt, parent.deadline ?? Infinity), parent);
    this.timeoutMs = timeoutMs;
    this.endsAt = endsAt;
    this.#onExpire = onExpire;
  }

  expire(): void {
    this.error = timeoutError(this.timeoutMs);
    this.abort(this.error);
    this.reject?.(this.error);
    this.#onExpire(this);
  }
}

/** Limits the time of a call; made by {@link timeLimiter}. */
export class TimeLimiter extends Protection {
  readonly #timeoutMs: TimeLimiterOptions['timeoutMs'];
  readonly #cooperative: boolean;
  readonly #clock: Clock;
  readonly #deadlines: Deadlines;
  readonly #events = new Events<TimeLimiterEvents>();
  readonly #onExpire = ({ error }: LimitedCall): void => {
    if (error !== undefined && this.#events.active) this.#events.emit('timeout', { error });
  };

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
    const limit = this.#cooperative
      ? (call: LimitedCall) => this.#await(next, call)
      : (call: LimitedCall) => this.#race(next, call);
    if (typeof timeoutMs === 'number') return (call) => limit(this.#limited(call, timeoutMs));
    return (call) => {
      try {
        const ownMs = atLeastZero('timeLimiter: timeoutMs', timeoutMs(call), Infinity);
        return ownMs === Infinity ? next(call) : limit(this.#limited(call, ownMs));
      } catch (error) {
        return rejection(error);
      }
    };
  }

  #limited(call: Call, timeoutMs: number): LimitedCall {
    return new LimitedCall(call, timeoutMs, this.#clock.now(), this.#onExpire);
  }

  #race<T>(next: Next<T>, call: LimitedCall): Promise<T> {
    return new Promise<T>((resolve, reject) => {
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
        if (this.#end(call) || error === call.error) throw error;
        throw timeoutError(call.timeoutMs, { cause: error });
      },
    );
  }

  /** The call has settled. @returns whether in time. */
  #end(call: LimitedCall): boolean {
    call.end();
    if (call.error !== undefined) return false;
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
