/**
 * The one table of the house: stable error code to HTTP status (RFC 9110 section 15). A code that is
 * not here is answered as 500, unless an {@link HttpProblem} names its own status.
 */
export const statusByCode: Readonly<Record<string, number>> = Object.freeze({
  // An empty prototype, so that a code called "constructor" is not found here.
  __proto__: null as never,
  ERR_BAD_REQUEST: 400,
  ERR_VALIDATION: 400,
  ERR_UNAUTHORIZED: 401,
  ERR_FORBIDDEN: 403,
  ERR_NOT_FOUND: 404,
  ERR_SERVICE_UNKNOWN: 404,
  ERR_INSTANCE_UNKNOWN: 404,
  ERR_METHOD_NOT_ALLOWED: 405,
  ERR_NOT_ACCEPTABLE: 406,
  ERR_REQUEST_TIMEOUT: 408,
  ERR_CONFLICT: 409,
  ERR_INSTANCE_AMBIGUOUS: 409,
  ERR_INCARNATION_STALE: 409,
  ERR_GONE: 410,
  ERR_PRECONDITION_FAILED: 412,
  ERR_BODY_TOO_LARGE: 413,
  ERR_URI_TOO_LONG: 414,
  ERR_MEDIA_TYPE: 415,
  ERR_UNPROCESSABLE: 422,
  ERR_RATE_LIMITED: 429,
  ERR_HEADERS_TOO_LARGE: 431,
  ERR_INTERNAL: 500,
  ERR_CONFIG: 500,
  ERR_NOT_IMPLEMENTED: 501,
  ERR_UPSTREAM: 502,
  ERR_NO_INSTANCE: 503,
  ERR_CIRCUIT_OPEN: 503,
  ERR_BULKHEAD_FULL: 503,
  ERR_DISCOVERY_UNAVAILABLE: 503,
  ERR_OVERLOADED: 503,
  ERR_UNAVAILABLE: 503,
  ERR_TIMEOUT: 504,
});

/** What a bare status means here, for errors that carry a status but no code of ours. */
const codeByStatus: ReadonlyMap<number, string> = new Map([
  [401, 'ERR_UNAUTHORIZED'],
  [403, 'ERR_FORBIDDEN'],
  [404, 'ERR_NOT_FOUND'],
  [405, 'ERR_METHOD_NOT_ALLOWED'],
  [406, 'ERR_NOT_ACCEPTABLE'],
  [408, 'ERR_REQUEST_TIMEOUT'],
  [409, 'ERR_CONFLICT'],
  [410, 'ERR_GONE'],
  [412, 'ERR_PRECONDITION_FAILED'],
  [413, 'ERR_BODY_TOO_LARGE'],
  [414, 'ERR_URI_TOO_LONG'],
  [415, 'ERR_MEDIA_TYPE'],
  [422, 'ERR_UNPROCESSABLE'],
  [429, 'ERR_RATE_LIMITED'],
  [431, 'ERR_HEADERS_TOO_LARGE'],
  [501, 'ERR_NOT_IMPLEMENTED'],
  [502, 'ERR_UPSTREAM'],
  [503, 'ERR_UNAVAILABLE'],
  [504, 'ERR_TIMEOUT'],
]);

/** Reason phrases of RFC 9110 section 15; with `type: about:blank` the title should be this phrase (RFC 9457, 4.2.1). */
const titleByStatus: ReadonlyMap<number, string> = new Map([
  [400, 'Bad Request'],
  [401, 'Unauthorized'],
  [402, 'Payment Required'],
  [403, 'Forbidden'],
  [404, 'Not Found'],
  [405, 'Method Not Allowed'],
  [406, 'Not Acceptable'],
  [408, 'Request Timeout'],
  [409, 'Conflict'],
  [410, 'Gone'],
  [412, 'Precondition Failed'],
  [413, 'Content Too Large'],
  [414, 'URI Too Long'],
  [415, 'Unsupported Media Type'],
  [422, 'Unprocessable Content'],
  [428, 'Precondition Required'],
  [429, 'Too Many Requests'],
  [431, 'Request Header Fields Too Large'],
  [500, 'Internal Server Error'],
  [501, 'Not Implemented'],
  [502, 'Bad Gateway'],
  [503, 'Service Unavailable'],
  [504, 'Gateway Timeout'],
]);

/** A status that an error may be answered with: a whole number from 400 to 599. */
export function isErrorStatus(status: unknown): status is number {
  return typeof status === 'number' && Number.isInteger(status) && status >= 400 && status <= 599;
}

/** The stable code of a bare status: the listed one, else ERR_BAD_REQUEST for 4xx and ERR_INTERNAL for 5xx. */
export function codeOf(status: number): string {
  return codeByStatus.get(status) ?? (status < 500 ? 'ERR_BAD_REQUEST' : 'ERR_INTERNAL');
}

/** The reason phrase of a status. */
export function titleOf(status: number): string {
  return titleByStatus.get(status) ?? (status < 500 ? 'Client Error' : 'Server Error');
}
