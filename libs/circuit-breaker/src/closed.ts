/** The part of calls that a ramp lets pass at its beginning. */
const leastRatio = 0.1;

/** A closed circuit: what it remembers of its openings, and how far its ramp is. */
export class Closed {
  readonly state = 'closed';
  readonly #since: number;
  /** Openings without a long calm between them, when the circuit closed. */
  readonly #attempts: number;
  /** What the ramp owes to callers: one passes when it has grown to 1. Undefined when all pass. */
  #credit: number | undefined;

  constructor(since: number, attempts = 0, ramping = false) {
    this.#since = since;
    this.#attempts = attempts;
    this.#credit = ramping ? 1 : undefined;
  }

  get ramping(): boolean {
    return this.#credit !== undefined;
  }

  /** Openings that are not forgotten yet: one falls away for each calm `decayMs`. */
  attempts(now: number, decayMs: number): number {
    return Math.max(0, this.#attempts - Math.floor(Math.max(0, now - this.#since) / decayMs));
  }

  /** Whether the next call passes: evenly every n-th one, since each brings its share and a whole one passes. */
  passes(now: number, rampMs: number): boolean {
    if (this.#credit === undefined) return true;
    if (now - this.#since >= rampMs) {
      this.#credit = undefined;
      return true;
    }
    this.#credit += leastRatio + (1 - leastRatio) * (Math.max(0, now - this.#since) / rampMs);
    if (this.#credit < 1) return false;
    this.#credit -= 1;
    return true;
  }
}
