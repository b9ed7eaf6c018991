import type { LeaseResult } from './policy.ts';

/** Steps of the running percentile, in parts of the value: up and down balance where 95 % of the answers are faster. */
const [stepUp, stepDown] = [0.19, 0.01];

/** How one endpoint has behaved, and whether it is ejected. */
export class Conduct {
  #state: 'in' | 'out' = 'in';
  #outUntilMs = -Infinity;
  #probeStartMs: number | undefined;
  #ejections = 0;
  #failuresInRow = 0;
  #successes = 0;
  #failures = 0;
  #p95Ms: number | undefined;

  /** `out` until a probe has succeeded. */
  get state(): 'in' | 'out' {
    return this.#state;
  }

  get outUntilMs(): number {
    return this.#outUntilMs;
  }

  /** Ejections that clean intervals have not made up for. */
  get ejections(): number {
    return this.#ejections;
  }

  get failuresInRow(): number {
    return this.#failuresInRow;
  }

  /** Answers in this interval. */
  get answers(): number {
    return this.#successes + this.#failures;
  }

  get successRatio(): number {
    return this.#successes / this.answers;
  }

  /** About the 95th percentile of the response times; undefined before the first. */
  get p95Ms(): number | undefined {
    return this.#p95Ms;
  }

  isHalfOpen(nowMs: number): boolean {
    return this.#state === 'out' && nowMs >= this.#outUntilMs;
  }

  /** Whether a request may go there; half-open, the answer yes is the probe, which may hang for `patienceMs`. */
  admits(nowMs: number, patienceMs: number): boolean {
    if (this.#state === 'in') return true;
    if (nowMs < this.#outUntilMs) return false;
    return this.#probeStartMs === undefined || nowMs - this.#probeStartMs >= patienceMs;
  }

  startProbe(nowMs: number): void {
    this.#probeStartMs = nowMs;
  }

  forgetProbe(): void {
    this.#probeStartMs = undefined;
  }

  count({ outcome, latencyMs }: LeaseResult): void {
    if (outcome === 'ignored') return;
    if (outcome === 'success') {
      this.#successes++;
      this.#failuresInRow = 0;
    } else {
      this.#failures++;
      this.#failuresInRow++;
    }
    if (outcome === 'success' && latencyMs !== undefined) this.#time(latencyMs);
  }

  /** Could not be ejected: counts its failures from the beginning. */
  spare(): void {
    this.#failuresInRow = 0;
  }

  eject(nowMs: number, termMs: number): void {
    this.#state = 'out';
    this.#outUntilMs = nowMs + termMs;
    this.#ejections++;
    this.#startAnew();
  }

  comeBack(): void {
    this.#state = 'in';
    this.#startAnew();
  }

  /** Ends an interval without ejection. */
  startInterval(): void {
    this.#successes = this.#failures = 0;
    if (this.#state === 'in') this.#ejections = Math.max(0, this.#ejections - 1);
  }

  #startAnew(): void {
    this.#failuresInRow = this.#successes = this.#failures = 0;
    this.#probeStartMs = this.#p95Ms = undefined;
  }

  #time(latencyMs: number): void {
    const p95Ms = this.#p95Ms ?? latencyMs;
    this.#p95Ms = p95Ms * (latencyMs > p95Ms ? 1 + stepUp : 1 - stepDown);
  }
}
