import { integerOption } from './options.ts';

/** Options of a {@link Protection}. */
export interface ProtectionOptions {
  /** Share of instances that may lose their leases at once before the registry doubts itself. Default 0.15. */
  readonly lossRatio?: number;
  /** Milliseconds after which it believes what it sees all the same. Default ten intervals, five minutes at least. */
  readonly maximumMs?: number | undefined;
}

/** How many of a group gave no sign of life when they should have. */
export interface Loss {
  readonly late: number;
  readonly total: number;
  /** Longest lease among them, in milliseconds. */
  readonly leaseMs: number;
}

/** Protection ends when less than this part of `lossRatio` is late: 10 % where it begins at 15 %. */
const exitPart = 2 / 3;

/** Never less, in milliseconds: a broken network takes people longer than that. */
const minimumMs = 300_000;

/**
 * Whether the registry should rather doubt itself than all the instances it no longer hears (Eureka's self-preservation), of
 * one group of instances:
 *
 *     calm ──two late or more, and over 15 %──> active ──under 10 %──> calm
 *                                               active ──maximumMs──> exhausted ──under 10 %──> calm
 *
 * Exhausted, it lets 15 % of the group go in each interval, so that even a wrong belief does not empty it at once.
 */
export class Protection {
  readonly #lossRatio: number;
  readonly #maximumMs: number | undefined;
  #sinceMs: number | undefined;
  #spentMs = 0;
  #spent = 0;

  /** @throws RangeError naming an option that is out of range. */
  constructor({ lossRatio = 0.15, maximumMs }: ProtectionOptions = {}) {
    if (!(lossRatio > 0 && lossRatio <= 1)) {
      throw new RangeError(`protection: lossRatio must be above 0 and at most 1, got ${lossRatio}`);
    }
    this.#lossRatio = lossRatio;
    this.#maximumMs =
      maximumMs === undefined ? undefined : integerOption('protection: maximumMs', maximumMs, 0, 2 ** 31);
  }

  get isActive(): boolean {
    return this.#sinceMs !== undefined;
  }

  /**
   * Looks at the group anew.
   *
   * @param isEnding Whether a lease ends now, so that its instance may be one of those that an exhausted protection lets go.
   * @returns whether such a lease is protected.
   */
  protects({ late, total, leaseMs }: Loss, nowMs: number, isEnding: boolean): boolean {
    const ratio = total === 0 ? 0 : late / total;
    if (this.#sinceMs === undefined) {
      if (late < 2 || ratio <= this.#lossRatio) return false;
      this.#sinceMs = nowMs;
    } else if (ratio < this.#lossRatio * exitPart) {
      this.#sinceMs = undefined;
      return false;
    }
    const maximumMs = this.#maximumMs ?? Math.max(minimumMs, (leaseMs / 1.5) * 10);
    if (nowMs - this.#sinceMs < maximumMs) return true;
    return !isEnding || !this.#letsGo(total, leaseMs / 1.5, nowMs);
  }

  /** One of the share that may go in this interval, if it is not spent. */
  #letsGo(total: number, intervalMs: number, nowMs: number): boolean {
    if (nowMs - this.#spentMs >= intervalMs) {
      this.#spentMs = nowMs;
      this.#spent = 0;
    }
    if (this.#spent >= Math.max(1, Math.floor(total * this.#lossRatio))) return false;
    this.#spent += 1;
    return true;
  }
}
