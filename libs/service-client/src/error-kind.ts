import { isTimeoutError, isUpstreamError } from './errors.ts';

/** Whose fault an error is: the network or the instance, a time limit of ours, or neither (the caller's, a bug). */
export type ErrorKind = 'network' | 'timeout' | 'other';

const timeouts = new Set(['UND_ERR_HEADERS_TIMEOUT', 'UND_ERR_BODY_TIMEOUT', 'UND_ERR_CONNECT_TIMEOUT']);

const systemCodes = new Set([
  'EAI_AGAIN',
  'ECONNABORTED',
  'ECONNREFUSED',
  'ECONNRESET',
  'EHOSTDOWN',
  'EHOSTUNREACH',
  'ENETDOWN',
  'ENETUNREACH',
  'ENOTCONN',
  'ENOTFOUND',
  'EPIPE',
  'EPROTO',
  'ETIMEDOUT',
]);

const undiciCodes = new Set([
  'UND_ERR_SOCKET',
  'UND_ERR_INFO',
  'UND_ERR_HEADERS_OVERFLOW',
  'UND_ERR_RES_CONTENT_LENGTH_MISMATCH',
  'UND_ERR_RES_EXCEEDED_MAX_SIZE',
]);

/** Of OpenSSL and of Node's own checks: a certificate that is not trusted, a handshake that failed. */
const tlsCode = /^(ERR_TLS_|ERR_SSL_|CERT_|DEPTH_ZERO_|SELF_SIGNED_|UNABLE_TO_)/;

/**
 * Sorts an error by its code. `sent` tells whether the request had been written: from then on a bare ECONNRESET may be
 * the caller's own body stream breaking off (Node's IncomingMessage says so), and only the errors of a system call are
 * the instance's.
 */
export function errorKind(error: unknown, sent: boolean): ErrorKind {
  if (typeof error !== 'object' || error === null) return 'other';
  if (isTimeoutError(error)) return 'timeout';
  if (isUpstreamError(error)) return 'network';
  const { name, code, syscall } = error as { name?: unknown; code?: unknown; syscall?: unknown };
  // undici's parser errors have a code (HPE_...) only now and then.
  if (name === 'HTTPParserError') return 'network';
  if (typeof code !== 'string') return 'other';
  if (timeouts.has(code)) return 'timeout';
  if (undiciCodes.has(code) || tlsCode.test(code)) return 'network';
  return systemCodes.has(code) && (!sent || syscall !== undefined) ? 'network' : 'other';
}

/** Whether time ran out, ours or that of a caller's `AbortSignal.timeout()`; an abort's reason may be anything. */
export function isTimeout(reason: unknown): boolean {
  return (reason as { name?: unknown } | null | undefined)?.name === 'TimeoutError';
}

/** What was thrown, as an Error. */
export function toError(thrown: unknown): Error {
  if (thrown instanceof Error || (typeof thrown === 'object' && thrown !== null && 'message' in thrown)) {
    return thrown as Error;
  }
  return new Error(String(thrown), { cause: thrown });
}
