/** How crashes are answered; see {@link BackOff}. */
export interface BackOffOptions {
  /** First delay, in ms. Default: 250. */
  readonly initialMs?: number;
  /** Longest delay, jitter included, in ms. Default: 10 000. */
  readonly maximumMs?: number;
  /** Every delay is this many times the one before. Default: 2. */
  readonly factor?: number;
  /** A delay is spread by up to this share to both sides. Default: 0.2. */
  readonly jitterRatio?: number;
  /** So long a healthy run forgets the crashes before it, in ms. Default: 30 000. */
  readonly forgetAfterMs?: number;
  /** So many crashes within `crashWindowMs` are a crash loop. Default: 5. */
  readonly crashLimit?: number;
  /** In ms. Default: 60 000. */
  readonly crashWindowMs?: number;
  /** Source of the jitter, 0 to 1. Default: Math.random. */
  readonly random?: () => number;
}

/** The delay before each restart of a process that crashes, and when to give up. */
export class BackOff {
  readonly crashLimit: number;
  readonly crashWindowMs: number;
  readonly #initialMs: number;
  readonly #maximumMs: number;
  readonly #factor: number;
  readonly #jitterRatio: number;
  readonly #forgetAfterMs: number;
  readonly #random: () => number;
  #delayMs: number;
  #crashes: number[] = [];

  constructor(options: BackOffOptions = {}) {
    this.#initialMs = inRange('initialMs', options.initialMs ?? 250, 1, 3_600_000);
    this.#maximumMs = inRange('maximumMs', options.maximumMs ?? 10_000, this.#initialMs, 3_600_000);
    this.#factor = inRange('factor', options.factor ?? 2, 1, 1000);
    this.#jitterRatio = inRange('jitterRatio', options.jitterRatio ?? 0.2, 0, 1);
    this.#forgetAfterMs = inRange('forgetAfterMs', options.forgetAfterMs ?? 30_000, 0, Infinity);
    this.crashLimit = inRange('crashLimit', options.crashLimit ?? 5, 1, 1000);
    this.crashWindowMs = inRange('crashWindowMs', options.crashWindowMs ?? 60_000, 1, Infinity);
    this.#random = options.random ?? Math.random;
    this.#delayMs = this.#initialMs;
  }

  /**
   * Counts a crash at `nowMs` (monotonic) of a run that had been healthy for `healthyMs`.
   *
   * @returns the delay before the restart in ms, or undefined in a crash loop.
   */
  crashed(nowMs: number, healthyMs = 0): number | undefined {
    if (healthyMs >= this.#forgetAfterMs) this.reset();
    this.#crashes = [...this.#crashes.filter((at) => nowMs - at < this.crashWindowMs), nowMs];
    if (this.#crashes.length >= this.crashLimit) return undefined;
    const spread = 1 + this.#jitterRatio * (2 * this.#random() - 1);
    const delayMs = Math.min(this.#delayMs * spread, this.#maximumMs);
    this.#delayMs = Math.min(this.#delayMs * this.#factor, this.#maximumMs);
    return delayMs;
  }

  /** Forgets all crashes, as after a restart that somebody asked for. */
  reset(): void {
    this.#delayMs = this.#initialMs;
    this.#crashes = [];
  }
}

function inRange(option: string, value: number, lowest: number, highest: number): number {
  if (value >= lowest && value <= highest) return value;
  throw new RangeError(`backOff: ${option} must lie in ${lowest}..${highest}, got ${value}`);
}
