/**
 * - `ERR_DISCOVERY_UNAVAILABLE`: the registry does not answer, or not as one, and nothing usable is cached; maps to 503.
 * - `ERR_DISCOVERY_REJECTED`: the registry refused the request (`status`, `reason`); repeating it as it is would not help.
 * - `ERR_DISCOVERY_CLOSED`: the client was closed; its `name` is `AbortError`.
 */
export type DiscoveryErrorCode =
  'ERR_DISCOVERY_UNAVAILABLE' | 'ERR_DISCOVERY_REJECTED' | 'ERR_DISCOVERY_CLOSED';

/** What is known about a failure beside its code. */
export interface DiscoveryErrorDetails {
  readonly cause?: unknown;
  readonly status?: number;
  readonly reason?: string;
  readonly retryAfterMs?: number;
}

/** Every failure of the discovery client. */
export class DiscoveryError extends Error {
  readonly code: DiscoveryErrorCode;
  /** HTTP status the registry answered with, where it answered. */
  readonly status: number | undefined;
  /** The registry's own stable code, e.g. `ERR_INCARNATION_STALE`. */
  readonly reason: string | undefined;
  /** Milliseconds after which another try makes sense, where known. */
  readonly retryAfterMs: number | undefined;

  constructor(code: DiscoveryErrorCode, message: string, details: DiscoveryErrorDetails = {}) {
    super(message, 'cause' in details ? { cause: details.cause } : undefined);
    // Callers (breakers, fetch-like code) tell an abort from a failure by this name.
    this.name = code === 'ERR_DISCOVERY_CLOSED' ? 'AbortError' : 'DiscoveryError';
    this.code = code;
    this.status = details.status;
    this.reason = details.reason;
    this.retryAfterMs = details.retryAfterMs;
  }
}

/** Whether `error` is a `DiscoveryError`, of this or another installed copy of the library. */
export function isDiscoveryError(error: unknown): error is DiscoveryError {
  return (
    error instanceof Error &&
    'code' in error &&
    typeof error.code === 'string' &&
    error.code.startsWith('ERR_DISCOVERY_')
  );
}

/** The error of everything that was still waiting when the client was closed, or came after. */
export function closedError(): DiscoveryError {
  return new DiscoveryError('ERR_DISCOVERY_CLOSED', 'the discovery client is closed');
}
