const states = 21;
const changes = states - 1;

/**
 * How restless a target is, as Nagios measures it: of the last 21 results, each change of state counts from 0.75 (the oldest) to 1.25 (the
 * newest), and the sum is divided by the 20 changes that were possible. 0 is calm, 1 changes with every result.
 */
export class FlapMeter {
  /** Bit k: whether the state changed k results ago. */
  #changes = 0;
  #seen = 0;
  #last: unknown;

  /** Any two results that are equal are the same state. */
  push(state: string): void {
    const changed = this.#seen > 0 && state !== this.#last ? 1 : 0;
    this.#last = state;
    this.#seen = Math.min(states, this.#seen + 1);
    this.#changes = ((this.#changes << 1) | changed) & ((1 << changes) - 1);
  }

  /** 0 to 1; 0 as long as fewer than 21 results are known. */
  get ratio(): number {
    if (this.#changes === 0 || this.#seen < states) return 0;
    let sum = 0;
    for (let age = 0; age < changes; age++) {
      if ((this.#changes >>> age) & 1) sum += 1.25 - (0.5 * age) / (changes - 1);
    }
    return sum / changes;
  }
}
