/** Sums over all calls of a client; retries are part of their call. */
export interface CallTotalsSnapshot {
  /** Calls that have ended: succeeded + failed + aborted. */
  readonly requests: number;
  /** Answered with a status below 500. */
  readonly succeeded: number;
  /** Ended with an error or with a status of 500 or more. */
  readonly failed: number;
  /** Given up by the caller. */
  readonly aborted: number;
  /** Retries made. */
  readonly retries: number;
  /** Time to the final response headers or to the error, back-off included, summed over all but aborted calls. */
  readonly latencyMsTotal: number;
}

/** Counts calls. */
export class CallTotals {
  #succeeded = 0;
  #failed = 0;
  #aborted = 0;
  #retries = 0;
  #latencyMs = 0;

  /** Adds one ended call. */
  add(status: number | undefined, aborted: boolean, latencyMs: number, retries: number): void {
    this.#retries += retries;
    if (aborted) {
      this.#aborted += 1;
      return;
    }
    this.#latencyMs += latencyMs;
    if (status !== undefined && status < 500) this.#succeeded += 1;
    else this.#failed += 1;
  }

  /** Frozen plain data. */
  getSnapshot(): CallTotalsSnapshot {
    return Object.freeze({
      requests: this.#succeeded + this.#failed + this.#aborted,
      succeeded: this.#succeeded,
      failed: this.#failed,
      aborted: this.#aborted,
      retries: this.#retries,
      latencyMsTotal: this.#latencyMs,
    });
  }
}
