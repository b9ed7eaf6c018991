import type { Permit } from '@mesh/circuit-breaker';
import { integer } from './range.ts';
import { KeyedCells } from './rate-cells.ts';
import { RateLimiter } from './rate-limiter.ts';
import { readOptions, readRate, type RateLimiterOptions, type RateOptions } from './rate-options.ts';
import { RateTable } from './rate-table.ts';

/** Options of a limiter with a limit for each key. */
export interface KeyedRateLimiterOptions extends RateLimiterOptions {
  /**
   * The most keys that are remembered at once. An integer >= 1, default 10 000. A key that owes nothing is forgotten when room is
   * needed, a debt never is: while all remembered keys owe, further ones share one limit.
   */
  readonly maxKeys?: number;
}

/**
 * The same limit for each caller, tenant or host, in bounded memory.
 *
 * @example
 * const clients = keyedRateLimiter({ limit: 100, periodMs: 60_000 });
 * if (clients.tryAcquire(request.ip) === undefined) reply.code(429).headers({ ...rateLimitHeaders(clients.of(request.ip).state) });
 */
export class KeyedRateLimiter<Key = string> {
  readonly #table: RateTable;

  constructor(options: KeyedRateLimiterOptions) {
    const { law, rate, settings } = readOptions(options);
    const maxKeys = integer('rateLimiter: maxKeys', options.maxKeys ?? 10_000);
    this.#table = new RateTable(law, new KeyedCells(law, maxKeys), rate, settings);
  }

  /** Keys that are remembered. */
  get size(): number {
    return this.#table.cells.size;
  }

  /** The limiter of a key: a small view that you need not keep. */
  of(key: Key): RateLimiter {
    return new RateLimiter(this.#table, key);
  }

  /** Takes permits of a key at once; `undefined` is a refusal. */
  tryAcquire(key: Key, weight = 1): Permit | undefined {
    return this.#table.acquire(key, weight);
  }

  /** Another rate for all keys from now on; what was spent stays spent. @throws RangeError */
  reconfigure(rate: RateOptions): void {
    this.#table.change(readRate(rate));
  }
}

/**
 * Makes a limiter with a limit for each key.
 *
 * @throws RangeError when an option is out of its range.
 */
export function keyedRateLimiter<Key = string>(options: KeyedRateLimiterOptions): KeyedRateLimiter<Key> {
  return new KeyedRateLimiter<Key>(options);
}
