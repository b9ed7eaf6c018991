/** What a window knows of one call. */
export interface Mark {
  readonly at: number;
  readonly failed: boolean;
  readonly slow: boolean;
}

/** The tenth of a span in which a time lies. */
export const slotOf = (time: number, spanMs: number): number => Math.floor(time / (spanMs / 10));

/** Which of all marks count at `now`. */
export type Extent = (marks: readonly Mark[], now: number) => readonly Mark[];

/** The latest `size` calls. */
export const latest =
  (size: number): Extent =>
  (marks) =>
    marks.slice(-size);

/** Those whose tenth began no longer than one window ago. */
export const during =
  (windowMs: number): Extent =>
  (marks, now) =>
    marks.filter(({ at }) => slotOf(now, windowMs) - slotOf(at, windowMs) <= 10);

/** Remembers every call and counts them anew each time. */
export class NaiveWindow {
  readonly #extent: Extent;
  #marks: Mark[] = [];

  constructor(extent: Extent) {
    this.#extent = extent;
  }

  record(failed: boolean, slow: boolean, at: number): void {
    this.#marks.push({ at, failed, slow });
  }

  clear(): void {
    this.#marks = [];
  }

  counts(now: number): { calls: number; failures: number; slow: number } {
    const marks = this.#extent(this.#marks, now);
    return {
      calls: marks.length,
      failures: marks.filter(({ failed }) => failed).length,
      slow: marks.filter(({ slow }) => slow).length,
    };
  }

  /** Those that count, with ages for times. */
  memory(now: number): unknown {
    return this.#extent(this.#marks, now).map(({ at, failed, slow }) => [now - at, failed, slow]);
  }

  /** Calls younger than `ageMs`, whatever the slots say. */
  youngerThan(ageMs: number, now: number): number {
    return this.#marks.filter(({ at }) => now - at < ageMs).length;
  }
}
