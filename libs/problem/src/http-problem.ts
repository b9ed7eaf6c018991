import { isErrorStatus, statusByCode } from './codes.ts';

/** One fault of a request: where it is (`body/email`, `query/page`) and what is wrong with it. */
export interface FieldError {
  readonly path: string;
  readonly message: string;
}

/** Optional parts of an {@link HttpProblem}. */
export interface HttpProblemOptions {
  /** HTTP status, 400 to 599. Default: the table's status for the code, else 500. */
  readonly status?: number;
  /** What caused it; logged, never sent. */
  readonly cause?: unknown;
  /** When asking again makes sense, in milliseconds; becomes `Retry-After`. */
  readonly retryAfterMs?: number;
  /** The faults of the request one by one. */
  readonly errors?: readonly FieldError[];
}

// A registered symbol: it is the same in two installed copies, and no JSON body can carry it.
const brand = Symbol.for('@mesh/problem/HttpProblem');

/**
 * An error that a route throws to answer with exactly this problem. Its `detail` is sent to the caller,
 * so write it for the caller.
 *
 * @throws RangeError when the status is not 400 to 599 or `retryAfterMs` is not a number >= 0.
 * @example throw new HttpProblem('ERR_NOT_FOUND', `user ${id} does not exist`)
 */
export class HttpProblem extends Error {
  override readonly name = 'HttpProblem';
  readonly code: string;
  readonly status: number;
  readonly retryAfterMs: number | undefined;
  readonly errors: readonly FieldError[] | undefined;

  constructor(code: string, detail: string, options: HttpProblemOptions = {}) {
    super(detail, 'cause' in options ? { cause: options.cause } : undefined);
    const { status = statusByCode[code] ?? 500, retryAfterMs, errors } = options;
    if (!isErrorStatus(status)) {
      throw new RangeError(`HttpProblem: status must be an integer from 400 to 599, got ${String(status)}`);
    }
    if (retryAfterMs !== undefined && !(retryAfterMs >= 0)) {
      throw new RangeError(`HttpProblem: retryAfterMs must be a number >= 0, got ${retryAfterMs}`);
    }
    this.code = code;
    this.status = status;
    this.retryAfterMs = retryAfterMs;
    this.errors = errors;
    Object.defineProperty(this, brand, { value: true });
  }
}

/** Whether `error` is an {@link HttpProblem}, of this or of another installed copy. */
export function isHttpProblem(error: unknown): error is HttpProblem {
  return error instanceof Error && (error as Error & { [brand]?: unknown })[brand] === true;
}
