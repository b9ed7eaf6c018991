/** What the load of a part gets. */
export interface PartContext {
  /** Aborted at the deadline of the part (`TimeoutError`), when the caller leaves, and when the whole has failed. Hand it to every call. */
  readonly signal: AbortSignal;
  /** What another part of the same aggregate gave (its fallback, if it failed). Never use each other: both would wait for their deadline. */
  use<T>(other: Part<T>): Promise<T>;
}

/** What a {@link part} takes beside its load. */
export interface PartOptions<T> {
  /** How long it may take, counted from the start of the aggregate, in ms. Default: as long as the whole. */
  readonly timeoutMs?: number;
  /** What stands in when it fails, from the stable code of why (`ERR_TIMEOUT`, `ERR_UPSTREAM` ...). Without one the whole fails with it. */
  readonly fallback?: (reason: string) => T;
}

/** One of the questions of an {@link aggregate}. */
export interface Part<T> extends PartOptions<T> {
  readonly load: (context: PartContext) => Promise<T> | T;
}

/**
 * One of the questions of an {@link aggregate}: required, unless it has a fallback.
 *
 * @throws RangeError for a `timeoutMs` that is not above 0.
 */
export function part<T>(load: Part<T>['load'], options: PartOptions<T> = {}): Part<T> {
  checkTimeout('part', options.timeoutMs);
  return { ...options, load };
}

/** Node's timers fire at once beyond this. */
const maxTimeoutMs = 2 ** 31 - 1;

/** @throws RangeError naming the value. */
export function checkTimeout(what: string, timeoutMs: number | undefined): void {
  if (timeoutMs === undefined || (timeoutMs > 0 && timeoutMs <= maxTimeoutMs)) return;
  throw new RangeError(`${what}: timeoutMs must be a number above 0 and at most 2^31 - 1, got ${timeoutMs}`);
}
