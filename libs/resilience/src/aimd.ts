import type { LimitFinder, LimitLaw, LimitSample } from './limit-law.ts';
import { between, outOfRange } from './range.ts';

/** Options of {@link aimd}. */
export interface AimdOptions {
  /** What remains of the limit after a sign of overload, from 0.1 to 0.99. Default 0.9. */
  readonly backoffRatio?: number;
  /** A call that takes longer is a sign of overload, in milliseconds. Default `Infinity`: only drops are. */
  readonly slowAfterMs?: number;
}

/**
 * Additive increase, multiplicative decrease (Chiu and Jain 1989; TCP): the limit grows by one for each limit's worth of calls that
 * went well while at least half of it was in use, and shrinks by a tenth when a call was dropped or slow. It shrinks once
 * for one overload: calls that started before the last shrinking are of the crowd that it was for.
 *
 * @throws RangeError when an option is out of its range.
 */
export function aimd({ backoffRatio = 0.9, slowAfterMs = Infinity }: AimdOptions = {}): LimitLaw {
  between('aimd: backoffRatio', backoffRatio, 0.1, 0.99);
  if (!(slowAfterMs > 0)) throw outOfRange('aimd: slowAfterMs', 'a number > 0', slowAfterMs);
  return () => new Aimd(backoffRatio, slowAfterMs);
}

class Aimd implements LimitFinder {
  readonly #backoffRatio: number;
  readonly #slowAfterMs: number;
  #shrunkAt = -Infinity;

  constructor(backoffRatio: number, slowAfterMs: number) {
    this.#backoffRatio = backoffRatio;
    this.#slowAfterMs = slowAfterMs;
  }

  next({ limit, inFlight, dropped, rttMs, startedAt, now }: LimitSample): number {
    if (!dropped && rttMs <= this.#slowAfterMs) return inFlight * 2 >= limit ? limit + 1 / limit : limit;
    if (startedAt < this.#shrunkAt) return limit;
    this.#shrunkAt = now;
    return limit * this.#backoffRatio;
  }
}
