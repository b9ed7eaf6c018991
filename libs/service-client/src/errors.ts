interface FailureOptions {
  readonly cause?: unknown;
  readonly instance?: string | undefined;
}

/** By code and not by class: errors may come from another copy of this package or from another realm (Jest, vm). */
const hasCode = (error: unknown, code: string): boolean =>
  typeof error === 'object' && error !== null && (error as { code?: unknown }).code === code;

/** A cause only when there is one: an own `cause: undefined` would be printed with every error. */
const causeOf = ({ cause }: { cause?: unknown }): ErrorOptions | undefined =>
  cause === undefined ? undefined : { cause };

/** No instance of the service is registered (HTTP 503). */
export class NoInstanceError extends Error {
  override readonly name = 'NoInstanceError';
  readonly code = 'ERR_NO_INSTANCE';
  readonly service: string;
  /** When it is worth asking again, in milliseconds. */
  readonly retryAfterMs: number;

  constructor(service: string, options: { retryAfterMs?: number; cause?: unknown } = {}) {
    super(`no instance of ${service} is registered`, causeOf(options));
    this.service = service;
    this.retryAfterMs = options.retryAfterMs ?? 1000;
  }
}

/** An attempt or a whole call took longer than it may (HTTP 504). */
export class TimeoutError extends Error {
  override readonly name = 'TimeoutError';
  readonly code = 'ERR_TIMEOUT';
  /** The limit that was exceeded, in milliseconds; undefined when undici does not tell. */
  readonly timeoutMs: number | undefined;
  readonly instance: string | undefined;

  constructor(message: string, options: FailureOptions & { timeoutMs?: number } = {}) {
    super(message, causeOf(options));
    this.timeoutMs = options.timeoutMs;
    this.instance = options.instance;
  }
}

/** An instance could not be reached, broke off, or gave an answer that is an error (HTTP 502). */
export class UpstreamError extends Error {
  override readonly name = 'UpstreamError';
  readonly code = 'ERR_UPSTREAM';
  readonly service: string;
  readonly instance: string | undefined;
  /** HTTP status of the answer; undefined when there was none. */
  readonly status: number | undefined;
  /** Parsed body of the answer when it was JSON (problem details of RFC 9457 as a rule). */
  readonly problem: unknown;
  /** What the answer's Retry-After asked for, in milliseconds. */
  readonly retryAfterMs: number | undefined;

  constructor(
    service: string,
    detail: string,
    options: FailureOptions & { status?: number; problem?: unknown; retryAfterMs?: number | undefined } = {},
  ) {
    const who = options.instance === undefined ? service : `${service} (${options.instance})`;
    super(`${who}: ${detail}`, causeOf(options));
    this.service = service;
    this.instance = options.instance;
    this.status = options.status;
    this.problem = options.problem;
    this.retryAfterMs = options.retryAfterMs;
  }
}

/** True for a {@link NoInstanceError}, also one of another copy of this package. */
export function isNoInstanceError(error: unknown): error is NoInstanceError {
  return hasCode(error, 'ERR_NO_INSTANCE');
}

/** True for a {@link TimeoutError}, also one of another copy of this package. */
export function isTimeoutError(error: unknown): error is TimeoutError {
  return hasCode(error, 'ERR_TIMEOUT');
}

/** True for an {@link UpstreamError}, also one of another copy of this package. */
export function isUpstreamError(error: unknown): error is UpstreamError {
  return hasCode(error, 'ERR_UPSTREAM');
}
