import type { CallResult } from './call.ts';
import { discard } from './dispose.ts';

/** As many errors are kept for an AggregateError, the latest. */
const most = 100;

/** How many attempts ended in an error; beside the error, which may be frozen, or of somebody else. */
const counts = new WeakMap<object, number>();

/** How many attempts were made before this error was given to the caller; undefined when no retry or hedge has given it. */
export function attemptsOf(error: unknown): number | undefined {
  return typeof error === 'object' && error !== null ? counts.get(error) : undefined;
}

/** What is thrown when no attempt succeeded: the `last` error, or `all` of them as an AggregateError with the last as its cause. */
export type Throws = 'last' | 'all';

/** The attempts of one call that did not succeed. */
export class FailedAttempts<T> {
  readonly #errors: unknown[] | undefined;
  #last: CallResult<T> | undefined;
  /** How many there were. */
  count = 0;

  constructor(throws: Throws) {
    this.#errors = throws === 'all' ? [] : undefined;
  }

  add(result: CallResult<T>): void {
    this.#last = result;
    this.count++;
    if (result.ok || this.#errors === undefined) return;
    if (this.#errors.push(result.error) > most) this.#errors.shift();
  }

  /** There will be another attempt: a value that was not good enough is not needed any more. */
  release(): void {
    if (this.#last?.ok === true) discard(this.#last.value);
    this.#last = undefined;
  }

  /** The answer to the caller: a value that was not good enough, where that came last, is better than none. */
  answer(): T {
    const last = this.#last;
    if (last?.ok === true) return last.value;
    const error =
      this.#errors !== undefined && this.#errors.length > 1
        ? new AggregateError(this.#errors, `all ${this.count} attempts failed`, { cause: last?.error })
        : last?.error;
    if (typeof error === 'object' && error !== null) counts.set(error, this.count);
    throw error;
  }
}
