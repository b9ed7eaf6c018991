/** Time that passes when it is told to. */
export class VirtualClock {
  #nowMs = 0;

  now(): number {
    return this.#nowMs;
  }

  pass(ms: number): void {
    this.#nowMs += ms;
  }
}
