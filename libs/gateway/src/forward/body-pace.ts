import { HttpProblem } from '@mesh/problem';
import { between } from '../range.ts';

/** How slowly a client may send a body. */
export interface BodyPaceOptions {
  /** Bytes that must come in a second, on average from the end of `graceMs` on; 0: any. Default 256. */
  readonly minBytesPerSecond?: number;
  /** How long a body may take whatever comes, in ms. Default 5000. */
  readonly graceMs?: number;
  /** Longest time in which nothing comes, in ms. Default 15 000. */
  readonly idleMs?: number;
}

/** A pace that was read and checked, for all bodies of a route. */
export type PaceRules = Required<BodyPaceOptions>;

/** The pace with its defaults. @throws RangeError when an option is out of range. */
export function readPace(options: BodyPaceOptions = {}): PaceRules {
  const { minBytesPerSecond = 256, graceMs = 5000, idleMs = 15_000 } = options;
  return {
    minBytesPerSecond: between('bodyPace: minBytesPerSecond', minBytesPerSecond, 0, 2 ** 31 - 1),
    graceMs: between('bodyPace: graceMs', graceMs, 0, 86_400_000),
    idleMs: between('bodyPace: idleMs', idleMs, 1, 86_400_000),
  };
}

/** What a client is told whose body is too slow: 408. Close its connection with the answer; the rest of the body is not wanted. */
export const slowBody = new HttpProblem('ERR_REQUEST_TIMEOUT', 'The body of the request came too slowly.');

/**
 * Whether the body of a request comes fast enough. As with Apache's `RequestReadTimeout body=5,MinRate=256` every byte buys time, and
 * silence ends it in any case. Time in which it is not read (`pause`) is not the client's.
 *
 * It has no timer; look at it from time to time, as often as exact it shall be: `if (pace.isTooSlow(now)) fail(slowBody)`.
 */
export class BodyPace {
  readonly #rules: PaceRules;
  /** Since when it is read, without the times in which it was not. */
  #since: number;
  #lastByteAt: number;
  #bytes = 0;
  #pausedAt: number | undefined;

  constructor(rules: PaceRules, nowMs: number) {
    this.#rules = rules;
    this.#since = nowMs;
    this.#lastByteAt = nowMs;
  }

  /** So many bytes have come. */
  add(bytes: number, nowMs: number): void {
    this.#bytes += bytes;
    this.#lastByteAt = nowMs;
  }

  /** It is not read any more: who takes it cannot keep up. */
  pause(nowMs: number): void {
    this.#pausedAt ??= nowMs;
  }

  /** It is read again. */
  resume(nowMs: number): void {
    if (this.#pausedAt === undefined) return;
    const pausedMs = nowMs - this.#pausedAt;
    this.#since += pausedMs;
    this.#lastByteAt += pausedMs;
    this.#pausedAt = undefined;
  }

  isTooSlow(nowMs: number): boolean {
    if (this.#pausedAt !== undefined) return false;
    const { minBytesPerSecond, graceMs, idleMs } = this.#rules;
    if (nowMs - this.#lastByteAt > idleMs) return true;
    if (minBytesPerSecond === 0) return false;
    return nowMs - this.#since > graceMs + (this.#bytes * 1000) / minBytesPerSecond;
  }
}
