import { withoutStack } from './without-stack.ts';

/** The time for a call was up. It has no stack trace: it says nothing about the code that made the call. */
export class TimeoutError extends Error {
  declare readonly name: 'TimeoutError';
  /** `@mesh/problem` answers it as 504. */
  declare readonly code: 'ERR_TIMEOUT';
  /** The time that the call had, in milliseconds. */
  readonly timeoutMs: number;

  static {
    Object.assign(this.prototype, { name: 'TimeoutError', code: 'ERR_TIMEOUT' });
  }

  constructor(timeoutMs: number, options?: ErrorOptions) {
    super(`no answer within ${timeoutMs} ms`, options);
    this.timeoutMs = timeoutMs;
  }
}

export function timeoutError(timeoutMs: number, options?: ErrorOptions): TimeoutError {
  return withoutStack(() => new TimeoutError(timeoutMs, options));
}

/** Whether `error` is a {@link TimeoutError}, of this or of another installed copy. */
export function isTimeoutError(error: unknown): error is TimeoutError {
  return error instanceof Error && (error as { code?: unknown }).code === 'ERR_TIMEOUT';
}
