import type { Gate, Permit } from '@mesh/circuit-breaker';
import type { Call, CallResult } from './call.ts';
import type { Next } from './policy.ts';
import { Protection } from './protection.ts';
import { atLeastZero } from './range.ts';
import { OneCell } from './rate-cells.ts';
import type { RateLimitState } from './rate-limit-headers.ts';
import { rateLimitedError } from './rate-limited-error.ts';
import { readOptions, readRate, type RateLimiterOptions, type RateOptions } from './rate-options.ts';
import { RateTable } from './rate-table.ts';
import { rejection } from './start.ts';
import { Waiter } from './wait-line.ts';

/**
 * Lets so many calls pass in a time. A call that has to wait longer than `maxWaitMs` is refused with a {@link RateLimitedError};
 * those who wait pass in order of arrival, and one that is aborted gives its place back.
 *
 * @example
 * const github = rateLimiter({ limit: 80, periodMs: 60_000, burst: 10, maxWaitMs: 5000 });
 * const answer = await github.execute(({ signal }) => fetch(url, { signal }), { signal });
 */
export class RateLimiter extends Protection implements Gate {
  readonly #table: RateTable;
  readonly #key: unknown;
  readonly #weight: number;

  /** Use {@link rateLimiter}. */
  constructor(table: RateTable, key: unknown, weight = 1) {
    super();
    this.#table = table;
    this.#key = key;
    this.#weight = this.#table.checkWeight(weight);
  }

  /** Whether a call would pass at once; reading it changes nothing. */
  get available(): boolean {
    return this.retryAfterMs === 0;
  }

  /** Milliseconds until a call would pass at once, behind those who wait. */
  get retryAfterMs(): number {
    const now = this.#table.settings.clock.now();
    return this.#table.waitMs(this.#place(now), this.#weight, now);
  }

  /** Calls that wait for their turn. */
  get queued(): number {
    return this.#table.queued(this.#place(this.#table.settings.clock.now()));
  }

  /** What {@link rateLimitHeaders} makes headers of. */
  get state(): RateLimitState {
    const { settings, law, cells, rate } = this.#table;
    const now = settings.clock.now();
    const at = this.#place(now);
    return {
      name: settings.name,
      limit: rate.limit,
      periodMs: rate.periodMs,
      remaining: this.#table.queued(at) > 0 ? 0 : law.remaining(cells.cells, at, now),
      resetMs: law.resetMs(cells.cells, at, now),
      retryAfterMs: this.retryAfterMs,
    };
  }

  /** Takes permits for a call that you make yourself; `undefined` is a refusal. It is spent at once: its outcome changes nothing. */
  tryAcquire(weight: number = this.#weight): Permit | undefined {
    return this.#table.acquire(this.#key, weight);
  }

  /** Gives permits back for a call that was not made after all, such as when the next gate refused. Do it at once. */
  giveBack(weight: number = this.#weight): void {
    this.#apply((at, now) => {
      this.#table.law.giveBack(this.#table.cells.cells, at, this.#table.checkWeight(weight), now);
    });
  }

  /** Lets nothing pass for so many milliseconds, because a server asked for it. A shorter pause does not end a longer one. */
  pause(ms: number): void {
    atLeastZero('rateLimiter: pause', ms);
    this.#apply((at, now) => {
      this.#table.law.pause(this.#table.cells.cells, at, ms, now);
    });
  }

  /** Takes all permits that are left, because a server has said that none are. */
  drain(): void {
    this.#apply((at, now) => {
      this.#table.law.drain(this.#table.cells.cells, at, now);
    });
  }

  /** Another rate from now on (for all keys); what was spent stays spent. @throws RangeError */
  reconfigure(rate: RateOptions): void {
    this.#table.change(readRate(rate));
  }

  /** The same limiter, for calls that take so many permits. */
  weighing(weight: number): RateLimiter {
    return new RateLimiter(this.#table, this.#key, weight);
  }

  layer<T>(next: Next<T>): Next<T> {
    const { settings } = this.#table;
    const inner = settings.retryAfterMs === undefined ? next : this.#heeding(next, settings.retryAfterMs);
    return (call) => {
      if (this.#weight === 1 && this.#table.tryTakeAhead()) return inner(call);
      const now = settings.clock.now();
      const at = this.#place(now);
      return this.#table.tryTake(at, this.#weight, now) ? inner(call) : this.#wait(inner, call, at, now);
    };
  }

  #wait<T>(next: Next<T>, call: Call, at: number, now: number): Promise<T> {
    const { maxWaitMs, name } = this.#table.settings;
    const waitMs = this.#table.waitMs(at, this.#weight, now);
    if (waitMs > maxWaitMs) return rejection(rateLimitedError(name, waitMs));
    if (call.aborted) return rejection(call.reason);
    return new Waiter(call, next, this.#weight, now, maxWaitMs).in(this.#table.line(at)) as Promise<T>;
  }

  /** What a server asks for in a result holds back the calls after it. */
  #heeding<T>(next: Next<T>, read: (result: CallResult) => number | undefined): Next<T> {
    const heed = (result: CallResult): void => {
      const ms = askedFor(read, result);
      if (ms > 0 && ms < Infinity) this.pause(ms);
    };
    const resolved = (value: T): T => {
      heed({ ok: true, value });
      return value;
    };
    const rejected = (error: unknown): never => {
      heed({ ok: false, error });
      throw error;
    };
    return (call) => next(call).then(resolved, rejected);
  }

  #place(now: number): number {
    return this.#table.locate(this.#key, now);
  }

  #apply(change: (at: number, now: number) => void): void {
    const now = this.#table.settings.clock.now();
    const at = this.#place(now);
    change(at, now);
    this.#table.serve(at);
  }
}

/**
 * Makes a limiter for everybody; {@link keyedRateLimiter} makes one for each caller.
 *
 * @throws RangeError when an option is out of its range.
 */
export function rateLimiter(options: RateLimiterOptions): RateLimiter {
  const { law, rate, settings } = readOptions(options);
  return new RateLimiter(new RateTable(law, new OneCell(law), rate, settings), undefined);
}

function askedFor(read: (result: CallResult) => number | undefined, result: CallResult): number {
  try {
    return read(result) ?? 0;
  } catch {
    return 0;
  }
}
