import type { Window } from './window.ts';

const failedMark = 1;
const slowMark = 2;

/** The last `size` calls: a ring of one byte a call, with running totals. */
export class CountWindow implements Window {
  calls = 0;
  failures = 0;
  slow = 0;
  readonly #size: number;
  // Made at the first call: most breakers of a large set never see one.
  #marks: Uint8Array | undefined;
  #next = 0;

  constructor(size: number) {
    this.#size = size;
  }

  record(failed: boolean, slow: boolean): void {
    const marks = (this.#marks ??= new Uint8Array(this.#size));
    if (this.calls === this.#size) this.#count(marks[this.#next] ?? 0, -1);
    const mark = (failed ? failedMark : 0) | (slow ? slowMark : 0);
    marks[this.#next] = mark;
    this.#count(mark, 1);
    if (++this.#next === this.#size) this.#next = 0;
  }

  catchUp(): void {
    // Calls are pushed out by calls alone.
  }

  clear(): void {
    this.#next = this.calls = this.failures = this.slow = 0;
  }

  #count(mark: number, change: 1 | -1): void {
    this.calls += change;
    if (mark & failedMark) this.failures += change;
    if (mark & slowMark) this.slow += change;
  }
}
