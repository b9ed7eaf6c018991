/** How often some are ended, in ms. */
const stepMs = 10;

/**
 * Answers that end only when somebody ends them: event streams, WebSockets, long polls. Whoever begins one adds what ends it well, so
 * that a service that leaves can end them one after the other, instead of all of them at once at the end of its grace period.
 */
export class OpenStreams {
  readonly #closers = new Set<() => void>();
  #isOver = false;

  /** Streams that are open. */
  get size(): number {
    return this.#closers.size;
  }

  /**
   * @param close ends the stream; called at most once, and not after it was forgotten.
   * @returns what forgets it; call it when the stream has ended by itself.
   */
  add(close: () => void): () => void {
    const closer = (): void => {
      close();
    };
    this.#closers.add(closer);
    if (this.#isOver)
      queueMicrotask(() => {
        this.#close(closer);
      });
    return () => {
      this.#closers.delete(closer);
    };
  }

  /**
   * Ends all of them, spread evenly, so that their clients do not all come back in the same moment (to another instance). One that is
   * added later ends at once.
   *
   * @param sleep waits so many ms.
   */
  async closeAll(windowMs: number, sleep: (ms: number) => Promise<unknown>): Promise<void> {
    const perStep = windowMs < stepMs ? Infinity : Math.ceil((this.#closers.size * stepMs) / windowMs);
    let inStep = 0;
    // A set goes on with what is added meanwhile.
    for (const closer of this.#closers) {
      if (inStep === perStep) {
        inStep = 0;
        await sleep(stepMs);
      }
      inStep += 1;
      this.#close(closer);
    }
    this.#isOver = true;
  }

  #close(closer: () => void): void {
    if (this.#closers.delete(closer)) closer();
  }
}
