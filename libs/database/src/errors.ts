/** The database did not let us in within the time that was given; nothing was written. Maps to 503 by its code. */
export class DatabaseBusyError extends Error {
  override readonly name = 'DatabaseBusyError';
  readonly code = 'ERR_UNAVAILABLE';
  /** When another try makes sense, in ms. */
  readonly retryAfterMs = 1000;

  constructor(waitedMs: number, cause: unknown) {
    super(`database: still locked by another process after ${Math.round(waitedMs)} ms`, { cause });
  }
}

/** The database cannot be opened as it was asked for. The message says what to change. */
export class DatabaseOpenError extends Error {
  override readonly name = 'DatabaseOpenError';
  readonly code = 'ERR_DATABASE_OPEN';
}

/** True for a {@link DatabaseBusyError}, of this or of another copy of the package. */
export function isDatabaseBusyError(error: unknown): error is DatabaseBusyError {
  return fieldsOf(error).name === 'DatabaseBusyError';
}

/** True for a {@link DatabaseOpenError}, of this or of another copy of the package. */
export function isDatabaseOpenError(error: unknown): error is DatabaseOpenError {
  return fieldsOf(error).code === 'ERR_DATABASE_OPEN';
}

/** SQLITE_CONSTRAINT_PRIMARYKEY, _UNIQUE and _ROWID (https://sqlite.org/rescode.html). */
const sqliteUnique: readonly unknown[] = [1555, 2067, 2579];

/** `unique_violation` (https://www.postgresql.org/docs/current/errcodes-appendix.html). */
const postgresUnique = '23505';

/** True when a row was refused because another has the same key, on either engine, also when it is the cause of `error`. */
export function isUniqueViolation(error: unknown): boolean {
  for (let current = error, depth = 0; depth < 5; current = fieldsOf(current).cause, depth += 1) {
    const { code, errcode } = fieldsOf(current);
    if (code === postgresUnique || (code === 'ERR_SQLITE_ERROR' && sqliteUnique.includes(errcode)))
      return true;
  }
  return false;
}

/** What an error may carry. Errors of another realm (a vm context, as in Jest) are no `instanceof Error`. */
export function fieldsOf(error: unknown): {
  name?: unknown;
  code?: unknown;
  errcode?: unknown;
  cause?: unknown;
} {
  return typeof error === 'object' && error !== null ? error : {};
}
