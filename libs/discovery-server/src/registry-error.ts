/**
 * - `ERR_INSTANCE_UNKNOWN`: no such instance holds a lease; register again. 404.
 * - `ERR_INSTANCE_AMBIGUOUS`: several instances fit; say which by host or id. 409.
 * - `ERR_INCARNATION_STALE`: another process has taken this instance over. 409.
 * - `ERR_SERVICE_UNKNOWN`: no instance of that name is registered. 404.
 * - `ERR_UNAVAILABLE`: a bound of the registry is reached (instances, watchers), or it is closing. 503.
 */
export type RegistryErrorCode =
  | 'ERR_INSTANCE_UNKNOWN'
  | 'ERR_INSTANCE_AMBIGUOUS'
  | 'ERR_INCARNATION_STALE'
  | 'ERR_SERVICE_UNKNOWN'
  | 'ERR_UNAVAILABLE';

const codes: ReadonlySet<unknown> = new Set<RegistryErrorCode>([
  'ERR_INSTANCE_UNKNOWN',
  'ERR_INSTANCE_AMBIGUOUS',
  'ERR_INCARNATION_STALE',
  'ERR_SERVICE_UNKNOWN',
  'ERR_UNAVAILABLE',
]);

/** What the registry refuses, and why. Its `code` is the one of the problem JSON. */
export class RegistryError extends Error {
  override readonly name = 'RegistryError';
  readonly code: RegistryErrorCode;
  /** When asking again makes sense, in milliseconds, where known. */
  readonly retryAfterMs: number | undefined;

  constructor(code: RegistryErrorCode, message: string, retryAfterMs?: number) {
    super(message);
    this.code = code;
    this.retryAfterMs = retryAfterMs;
  }
}

/** Whether this is a {@link RegistryError}, of whichever installed copy. */
export function isRegistryError(error: unknown): error is RegistryError {
  return error instanceof Error && error.name === 'RegistryError' && 'code' in error && codes.has(error.code);
}
