import { codeOf, isErrorStatus, statusByCode, titleOf } from './codes.ts';
import { isHttpProblem, type FieldError } from './http-problem.ts';
import { readValidation } from './validation.ts';

/** Problem details as RFC 9457 writes them, with three members of ours: `code`, `errors` and `retryAfterMs`. */
export interface ProblemDetails {
  /** Always `about:blank` (RFC 9457, 4.2.1): the kind of problem is told by `code`. */
  readonly type: string;
  /** The reason phrase of the status. */
  readonly title: string;
  /** HTTP status, 400 to 599. */
  readonly status: number;
  /** One sentence for the caller. */
  readonly detail?: string;
  /** Stable code, for programs: `ERR_NOT_FOUND`, `ERR_CIRCUIT_OPEN`, ... */
  readonly code: string;
  /** Path of the request, without its query (which may hold secrets). */
  readonly instance?: string;
  /** The faults of the request one by one, at most 100. */
  readonly errors?: readonly FieldError[];
  /** When asking again makes sense, in whole milliseconds. */
  readonly retryAfterMs?: number;
}

/** An error as anybody may have thrown it: every member has to be checked. */
interface Unknown {
  readonly code?: unknown;
  readonly message?: unknown;
  readonly statusCode?: unknown;
  readonly retryAfterMs?: unknown;
  readonly validation?: unknown;
  readonly validationContext?: unknown;
}

type Parts = Pick<ProblemDetails, 'code' | 'status'> & {
  readonly detail?: string;
  readonly errors?: readonly FieldError[];
  readonly retryAfterMs?: unknown;
};

const maxTextLength = 2_000;

const internal: Parts = {
  code: 'ERR_INTERNAL',
  status: 500,
  detail: 'The server failed to answer this request.',
};

/** Fastify's refusals whose code says more than their status does. */
const detailByFastifyCode: Readonly<Record<string, string>> = {
  FST_ERR_CTP_BODY_TOO_LARGE: 'The request body is too large.',
  FST_ERR_CTP_INVALID_MEDIA_TYPE: 'The content type of the request body is not supported.',
  FST_ERR_CTP_INVALID_JSON_BODY: 'The request body is not valid JSON.',
  FST_ERR_CTP_EMPTY_JSON_BODY: 'The request body is empty, but its content type says JSON.',
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: 'The request body is not as long as Content-Length says.',
  FST_ERR_BAD_URL: 'The URL of the request is not valid.',
  FST_ERR_MAX_PARAM_LENGTH: 'A part of the URL is too long.',
};

/**
 * Describes anything that was thrown as problem details; it never throws itself.
 *
 * - {@link HttpProblem}: as its author wrote it.
 * - An error with a `code` of {@link statusByCode}: that status, its message, its `retryAfterMs`.
 * - Fastify's refusals (`FST_...` codes, `.validation` of ajv and of fastify-type-provider-zod, and a bare `statusCode`):
 *   the same status with a stable code of ours and a text of ours.
 * - Everything else: 500 `ERR_INTERNAL`. The message of an unknown error is never sent. An error of an HTTP client (a `statusCode` beside
 *   a foreign `code`, such as undici's) is one of these: the status of an upstream is not ours.
 *
 * @param instance URL of the request; its path becomes `instance`.
 */
export function toProblem(error: unknown, instance?: string): ProblemDetails {
  try {
    return assemble(partsOf(error), instance);
  } catch {
    // A getter or a proxy that throws: it has nothing more to tell.
    return assemble(internal, instance);
  }
}

/**
 * The headers that go with a problem: its media type and, when it says when to ask again, `retry-after` in
 * whole seconds, rounded up and at least 1 (RFC 9110, 10.2.3).
 */
export function problemHeaders(problem: ProblemDetails): Record<string, string> {
  const headers: Record<string, string> = { 'content-type': 'application/problem+json' };
  if (problem.retryAfterMs !== undefined) {
    headers['retry-after'] = String(Math.max(1, Math.ceil(problem.retryAfterMs / 1_000)));
  }
  return headers;
}

function assemble(parts: Parts, instance: string | undefined): ProblemDetails {
  const retryAfterMs = wholeMs(parts.retryAfterMs);
  return {
    type: 'about:blank',
    title: titleOf(parts.status),
    status: parts.status,
    ...(parts.detail !== undefined && { detail: shorten(parts.detail) }),
    code: parts.code,
    ...(instance !== undefined && { instance: pathOf(instance) }),
    ...(parts.errors !== undefined && { errors: parts.errors.map(plainError) }),
    ...(retryAfterMs !== undefined && { retryAfterMs }),
  };
}

function partsOf(error: unknown): Parts {
  if (isHttpProblem(error)) {
    const { code, status, message, retryAfterMs, errors } = error;
    return { code, status, detail: message, retryAfterMs, ...(errors !== undefined && { errors }) };
  }
  if (typeof error !== 'object' || error === null) return internal;
  return ofOwnCode(error) ?? ofValidation(error) ?? ofFastify(error) ?? internal;
}

function ofOwnCode({ code, message, retryAfterMs }: Unknown): Parts | undefined {
  if (typeof code !== 'string') return undefined;
  const status = statusByCode[code];
  // Who could only say "internal" did not write its message for a caller.
  if (status === undefined || status === 500) return undefined;
  return { code, status, retryAfterMs, ...(typeof message === 'string' && { detail: message }) };
}

function ofValidation(error: Unknown): Parts | undefined {
  const errors = readValidation(error);
  if (errors === undefined) return undefined;
  const [first] = errors;
  const more = errors.length > 1 ? ` (and ${errors.length - 1} more)` : '';
  const detail = first ? `${first.path}: ${first.message}${more}` : 'The request is not valid.';
  return { code: 'ERR_VALIDATION', status: 400, detail, errors };
}

function ofFastify({ code, statusCode, retryAfterMs }: Unknown): Parts | undefined {
  const refusal = typeof code === 'string' && code.startsWith('FST_') ? code : undefined;
  if (!isErrorStatus(statusCode) || (code !== undefined && refusal === undefined)) return undefined;
  if (statusCode === 500) return undefined;
  const stable = refusal === 'FST_ERR_VALIDATION' ? 'ERR_VALIDATION' : codeOf(statusCode);
  const detail = refusal === undefined ? undefined : detailByFastifyCode[refusal];
  return { code: stable, status: statusCode, retryAfterMs, ...(detail !== undefined && { detail }) };
}

function wholeMs(value: unknown): number | undefined {
  if (typeof value !== 'number' || !(value >= 0)) return undefined;
  // JSON has no negative zero.
  return Math.min(Math.ceil(value), Number.MAX_SAFE_INTEGER) + 0;
}

function pathOf(url: string): string {
  const end = url.search(/[?#]/);
  return shorten(end === -1 ? url : url.slice(0, end));
}

/** A copy with the two known members only, both bounded. */
function plainError({ path, message }: FieldError): FieldError {
  return { path: shorten(path), message: shorten(message) };
}

function shorten(text: string): string {
  return text.length <= maxTextLength ? text : `${text.slice(0, maxTextLength - 1)}…`;
}
