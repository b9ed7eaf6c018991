/** How the work of a lease ended. */
export interface LeaseResult {
  /** `ignored` when the end says nothing about the endpoint, such as a caller that went away. */
  readonly outcome: 'success' | 'failure' | 'ignored';
  /** How long the endpoint took to answer, ms. Without it the response time learns nothing. */
  readonly latencyMs?: number;
}

/** The response time that an endpoint has before its first answer (seed formula: `avgResponseTime || 1000`). */
export const unmeasuredMs = 1000;

/** Part of the way that the average moves to a new answer: the last five answers make up two thirds of it. */
const smoothingRatio = 0.2;

/** What is known about one id. Leases count here, whatever becomes of the endpoint meanwhile. */
export class Load {
  #inflight = 0;
  #picks = 0;
  #latencyMs: number | undefined;

  /** Leases that are open now. */
  get inflight(): number {
    return this.#inflight;
  }

  /** Leases ever given. */
  get picks(): number {
    return this.#picks;
  }

  /** Exponentially weighted moving average of the response time, undefined before the first answer. */
  get latencyMs(): number | undefined {
    return this.#latencyMs;
  }

  open(): void {
    this.#inflight++;
    this.#picks++;
  }

  close(result: LeaseResult | undefined): void {
    this.#inflight--;
    if (result?.latencyMs !== undefined) this.#learn(result.outcome, result.latencyMs);
  }

  #learn(outcome: LeaseResult['outcome'], latencyMs: number): void {
    if (outcome === 'ignored' || !(latencyMs >= 0) || latencyMs === Infinity) return;
    // A failure may show that an endpoint is slow, never that it is fast: who fails at once must not attract traffic.
    if (outcome === 'failure' && latencyMs <= (this.#latencyMs ?? unmeasuredMs)) return;
    this.#latencyMs =
      this.#latencyMs === undefined
        ? latencyMs
        : this.#latencyMs + smoothingRatio * (latencyMs - this.#latencyMs);
  }
}
