import type { Attempt } from './attempt.ts';

/** The attempts of one call beside its newest: there are some only while it is hedged. */
export class Rivals {
  readonly #attempts: Attempt[] = [];

  get count(): number {
    return this.#attempts.length;
  }

  /** When the first of them has been silent for too long. */
  get dueAt(): number {
    return Math.min(...this.#attempts.map(({ dueAt }) => dueAt));
  }

  add(attempt: Attempt): void {
    this.#attempts.push(attempt);
  }

  /** Forgets one; false when it is none of them. */
  drop(attempt: Attempt): boolean {
    const at = this.#attempts.indexOf(attempt);
    if (at >= 0) this.#attempts.splice(at, 1);
    return at >= 0;
  }

  /** The newest of them, which is one no longer. */
  take(): Attempt | undefined {
    return this.#attempts.pop();
  }

  /** Those that have been silent for too long. */
  silent(now: number): readonly Attempt[] {
    return this.#attempts.filter(({ dueAt }) => dueAt <= now);
  }

  /** Ends them all, without blame unless time ran out. */
  cancel(reason: Error | undefined): void {
    for (const attempt of this.#attempts.splice(0)) attempt.cancel(reason);
  }
}
