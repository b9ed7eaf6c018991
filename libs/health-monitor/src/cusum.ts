/**
 * Notices a mean that has moved by little (Page, 1954): adds up what lies beyond `slack` on either side, and fires when a sum passes `limit`.
 * All in units of the usual scatter.
 */
export class Cusum {
  readonly #slack: number;
  readonly #limit: number;
  #high = 0;
  #low = 0;

  constructor(slack: number, limit: number) {
    this.#slack = slack;
    this.#limit = limit;
  }

  push(z: number): void {
    // Twice the limit is enough: what is over should be forgotten as fast as it was noticed.
    this.#high = Math.min(2 * this.#limit, Math.max(0, this.#high + z - this.#slack));
    this.#low = Math.min(2 * this.#limit, Math.max(0, this.#low - z - this.#slack));
  }

  clear(): void {
    this.#high = this.#low = 0;
  }

  get isFiring(): boolean {
    return this.#high > this.#limit || this.#low > this.#limit;
  }
}
