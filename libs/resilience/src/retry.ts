import { FailedAttempts } from './attempts.ts';
import type { Call, CallResult } from './call.ts';
import { discard } from './dispose.ts';
import { Events } from './events.ts';
import { judge, type Handle } from './judge.ts';
import type { Next } from './policy.ts';
import { Protection } from './protection.ts';
import {
  readRetrySettings,
  type GiveUpReason,
  type RetryEvents,
  type RetryOptions,
  type RetrySettings,
} from './retry-options.ts';
import { sleep } from './sleep.ts';
import { maxDelayMs } from './time.ts';

const usual: Handle = (result) => !result.ok && codeOf(result.error) !== 'ERR_BULKHEAD_FULL';

/** Makes further attempts when one fails; made by {@link retry}. */
export class Retry extends Protection {
  readonly #settings: RetrySettings;
  readonly #events = new Events<RetryEvents>();

  /** @throws RangeError when an option is out of range. */
  constructor(options: RetryOptions = {}) {
    super();
    this.#settings = readRetrySettings(options);
  }

  /** Listens to one kind of event. @returns the way to stop. */
  on<K extends keyof RetryEvents>(type: K, listener: (event: RetryEvents[K]) => unknown): () => void {
    return this.#events.on(type, listener);
  }

  layer<T>(next: Next<T>): Next<T> {
    const { budget, clock, handle, maxTotalMs } = this.#settings;
    return (call) => {
      if (budget !== undefined) call.payInto(budget);
      // No clock is read unless the time is limited.
      const notAfter = maxTotalMs === Infinity ? Infinity : clock.now() + maxTotalMs;
      const accept = handle && ((value: T) => this.#accept(next, call, notAfter, value));
      return next(call).then(accept, (error: unknown) =>
        this.#repeat(next, call, notAfter, { ok: false, error }),
      );
    };
  }

  #accept<T>(next: Next<T>, call: Call, notAfter: number, value: T): T | Promise<T> {
    const result = { ok: true, value } as const;
    return !call.aborted && this.#handles(result) ? this.#repeat(next, call, notAfter, result) : value;
  }

  /** All that comes after a first attempt that was not good enough. */
  async #repeat<T>(next: Next<T>, call: Call, notAfter: number, first: CallResult<T>): Promise<T> {
    const { backoff, random, throws, timers } = this.#settings;
    const failed = new FailedAttempts<T>(throws);
    let delays: ((retry: number) => number) | undefined;
    for (let result = first; ; result = await attempt(next, call, failed.count + 1)) {
      if (call.aborted) return abandon(call, result);
      // A first value has been asked about already.
      const handled = (result === first && first.ok) || this.#handles(result);
      if (!handled && result.ok) return result.value;
      failed.add(result);
      delays ??= backoff(random);
      const delayMs = handled ? this.#delay(result, failed.count, call, notAfter, delays) : 'not-handled';
      if (typeof delayMs === 'string') return this.#giveUp(failed, result, delayMs);
      if (this.#events.active) this.#events.emit('retry', { attempt: failed.count + 1, delayMs, result });
      failed.release();
      await sleep(delayMs, call, timers);
    }
  }

  #handles(result: CallResult): boolean {
    return judge(this.#settings.handle, usual, result, this.#events);
  }

  /** Milliseconds before the next attempt, or why there is none. */
  #delay(
    result: CallResult,
    attempts: number,
    call: Call,
    notAfter: number,
    delays: (retry: number) => number,
  ): number | GiveUpReason {
    const { budget, clock, maxAttempts, maxRetryAfterMs } = this.#settings;
    if (attempts >= maxAttempts) return 'attempts';
    const asked = this.#ask(result);
    if (asked < 0 || asked > maxRetryAfterMs) return 'retry-after';
    const own = this.#own(delays, attempts);
    if (own === undefined) return 'fault';
    const delayMs = Math.max(own, asked);
    const end = Math.min(notAfter, call.deadline ?? Infinity);
    if (end < Infinity && clock.now() + delayMs >= end) return 'time';
    return budget === undefined || budget.tryWithdraw() ? delayMs : 'budget';
  }

  /** What the other side asks for; 0 when it asks for nothing that makes sense. */
  #ask(result: CallResult): number {
    try {
      const asked = this.#settings.retryAfterMs(result) ?? 0;
      return Number.isNaN(asked) ? 0 : asked;
    } catch (error) {
      this.#events.fault(error);
      return 0;
    }
  }

  /** The delay of our own back-off, which may be somebody else's function. */
  #own(delays: (retry: number) => number, retry: number): number | undefined {
    try {
      const delayMs = delays(retry);
      if (delayMs >= 0) return Math.min(delayMs, maxDelayMs);
      throw new RangeError(`retry: backoff must answer milliseconds >= 0, got ${String(delayMs)}`);
    } catch (error) {
      this.#events.fault(error);
      return undefined;
    }
  }

  #giveUp<T>(failed: FailedAttempts<T>, result: CallResult, reason: GiveUpReason): T {
    if (this.#events.active) this.#events.emit('giveUp', { attempts: failed.count, reason, result });
    return failed.answer();
  }
}

async function attempt<T>(next: Next<T>, call: Call, attempt: number): Promise<CallResult<T>> {
  const child = call.child({ attempt: call.attempt + attempt - 1 });
  try {
    return { ok: true, value: await next(child) };
  } catch (error) {
    return { ok: false, error };
  } finally {
    child.end();
  }
}

/** The caller has gone: it gets its own reason, and a value goes back. */
function abandon(call: Call, result: CallResult): never {
  if (result.ok) discard(result.value);
  throw call.reason;
}

function codeOf(error: unknown): unknown {
  return (error as { code?: unknown } | null | undefined)?.code;
}

/**
 * Makes further attempts when one fails, with growing delays in between.
 *
 * @throws RangeError when an option is out of range.
 * @example
 * const users = retry({ maxAttempts: 4, backoff: { baseMs: 50 }, budget });
 * const answer = await users.execute(({ signal, attempt }) => fetch(url, { signal }), { signal });
 */
export function retry(options?: RetryOptions): Retry {
  return new Retry(options);
}
