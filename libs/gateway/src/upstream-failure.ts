import { HttpProblem, statusByCode } from '@mesh/problem';

/** When a caller may ask again after a failure that does not say it itself, in ms. */
const defaultRetryAfterMs = 1_000;

/** How far the causes of an error are followed. */
const maxDepth = 8;

/** Codes of failures after which it is certain that the instance has seen nothing of the request. */
const notSent: ReadonlySet<unknown> = new Set([
  'ECONNREFUSED',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENOTFOUND',
  'EAI_AGAIN',
  'UND_ERR_CONNECT_TIMEOUT',
]);

/** Codes of ours that say what was seen of a call; what happened on its connection stands in the cause. */
const wrappers: ReadonlySet<string> = new Set(['ERR_UPSTREAM', 'ERR_TIMEOUT']);

const detailByCode: ReadonlyMap<string, string> = new Map([
  ['ERR_NO_INSTANCE', 'has no instance at the moment'],
  ['ERR_CIRCUIT_OPEN', 'has failed repeatedly and is left alone for a while'],
  ['ERR_DISCOVERY_UNAVAILABLE', 'cannot be looked up: the registry does not answer'],
  ['ERR_UNAVAILABLE', 'cannot be reached'],
  ['ERR_TIMEOUT', 'did not answer in time'],
]);

interface Failure {
  readonly code?: unknown;
  readonly status?: unknown;
  readonly retryAfterMs?: unknown;
  readonly name?: unknown;
  readonly cause?: unknown;
}

/** The status of the upstream's own answer, when the error is one. */
export function answerStatus(error: unknown): number | undefined {
  const { status } = asFailure(error);
  return typeof status === 'number' ? status : undefined;
}

/** Whether an error is the upstream's answer to a request that was wrong (400 to 499): the upstream itself is well. */
export function isCallerFault(error: unknown): boolean {
  const status = answerStatus(error);
  return status !== undefined && status >= 400 && status <= 499;
}

/** Whether the caller took its call back. */
export function isAbort(error: unknown): boolean {
  const { name, code } = asFailure(error);
  return name === 'AbortError' || code === 'ABORT_ERR' || code === 'UND_ERR_ABORTED';
}

/**
 * The stable code of a failure between here and an instance. One of ours stays as it is. Where nothing was sent it is
 * `ERR_UNAVAILABLE`, for any other timeout `ERR_TIMEOUT`, for everything else (reset, not HTTP, 5xx) `ERR_UPSTREAM`.
 */
export function failureCode(error: unknown): string {
  const { code, name } = asFailure(error);
  // A refusal of ours has the last word over its cause (an open circuit's is what opened it).
  const isOurs = typeof code === 'string' && (statusByCode[code] ?? 0) > 500;
  if (isOurs && !wrappers.has(code)) return code;
  if (causes(error).some((failure) => notSent.has(failure.code))) return 'ERR_UNAVAILABLE';
  if (isOurs) return code;
  if (typeof code === 'string' && (code === 'ETIMEDOUT' || /^UND_ERR_\w*TIMEOUT$/.test(code)))
    return 'ERR_TIMEOUT';
  return name === 'TimeoutError' ? 'ERR_TIMEOUT' : 'ERR_UPSTREAM';
}

/**
 * The problem that a caller of the gateway gets for a failure between the gateway and an instance, always with the time to ask
 * again. 503 says that the instance has seen nothing of the request; after 502 and 504 nobody knows. It names the service; addresses,
 * which may stand in the error's own message, stay inside.
 */
export function upstreamProblem(service: string, error: unknown): HttpProblem {
  const code = failureCode(error);
  const what = detailByCode.get(code) ?? 'broke off or did not give a valid answer';
  const { retryAfterMs } = asFailure(error);
  return new HttpProblem(code, `${service} ${what}.`, {
    cause: error,
    retryAfterMs: typeof retryAfterMs === 'number' && retryAfterMs >= 0 ? retryAfterMs : defaultRetryAfterMs,
  });
}

/** The error, its cause, the cause of that, and so on. */
function causes(error: unknown): Failure[] {
  const chain: Failure[] = [];
  for (let at = error; typeof at === 'object' && at !== null && chain.length < maxDepth;) {
    const failure = asFailure(at);
    chain.push(failure);
    at = failure.cause;
  }
  return chain;
}

function asFailure(error: unknown): Failure {
  return typeof error === 'object' && error !== null ? error : {};
}
