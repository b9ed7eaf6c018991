/** Upper bounds of the buckets of response times in milliseconds; a last bucket takes what is above. */
const latencyBoundsMs = Object.freeze([1, 2.5, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000]);

/** Response times of a service, as a histogram. */
export interface LatencyHistogram {
  /** Upper bounds of the buckets in milliseconds, each included. */
  readonly boundsMs: readonly number[];
  /** Calls in each bucket; one more than bounds, for those above the last. */
  readonly counts: readonly number[];
  readonly sumMs: number;
}

/** What was done for one service. */
export interface ServiceFiguresSnapshot {
  /** Calls that have ended, those that were refused or given up included. */
  readonly calls: number;
  /** Requests that went to instances. */
  readonly attempts: number;
  /** Attempts after a failed one. */
  readonly retries: number;
  /** Attempts beside a slow one. */
  readonly hedges: number;
  /** Requests that were sent once more because an idle connection had been closed. */
  readonly rescues: number;
  /** How often the balancer has taken an instance out (`balancing.ejection`). */
  readonly ejections: number;
  /** Calls that were refused without asking an instance, by the code of their error. */
  readonly rejections: Readonly<Record<string, number>>;
  /** Time to the final response head, back-off included, of all calls that have one. */
  readonly latency: LatencyHistogram;
}

/** Most codes that are counted apart. */
const maxCodes = 32;

/** Counts what is done for one service. */
export class ServiceFigures {
  calls = 0;
  attempts = 0;
  retries = 0;
  hedges = 0;
  rescues = 0;
  ejections = 0;
  readonly #rejections = new Map<string, number>();
  readonly #counts = new Float64Array(latencyBoundsMs.length + 1);
  #sumMs = 0;

  /** A call got its final head after so long. */
  answered(latencyMs: number): void {
    let bucket = 0;
    while (bucket < latencyBoundsMs.length && latencyMs > (latencyBoundsMs[bucket] ?? 0)) bucket += 1;
    this.#counts[bucket] = (this.#counts[bucket] ?? 0) + 1;
    this.#sumMs += latencyMs;
  }

  /** A call was refused with this code. */
  rejected(code: string): void {
    const key = this.#rejections.has(code) || this.#rejections.size < maxCodes ? code : 'other';
    this.#rejections.set(key, (this.#rejections.get(key) ?? 0) + 1);
  }

  /** Frozen plain data. */
  getSnapshot(): ServiceFiguresSnapshot {
    const { calls, attempts, retries, hedges, rescues, ejections } = this;
    return Object.freeze({
      ...{ calls, attempts, retries, hedges, rescues, ejections },
      rejections: Object.freeze(Object.fromEntries(this.#rejections)),
      latency: Object.freeze({
        boundsMs: latencyBoundsMs,
        counts: Object.freeze([...this.#counts]),
        sumMs: this.#sumMs,
      }),
    });
  }
}
