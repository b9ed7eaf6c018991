/** Milliseconds of work after which others get their turn. */
const sliceMs = 8;

/** Lets everybody else run, but not more often than needed: call it between two small pieces of long work. */
export class TimeSlice {
  #sinceMs = performance.now();

  /** Whether it is time for a {@link TimeSlice.pause}; cheap enough to ask each time. */
  get isOver(): boolean {
    return performance.now() - this.#sinceMs >= sliceMs;
  }

  async pause(): Promise<void> {
    await new Promise(setImmediate);
    this.#sinceMs = performance.now();
  }
}
