import { Kysely, sql } from 'kysely';
import type { Dialect, Transaction } from 'kysely';
import type { Migration } from 'kysely/migration';
import { busyRetry } from './busy-retry.ts';
import { parseDatabaseUrl } from './database-url.ts';
import type { DatabaseTarget } from './database-url.ts';
import { migrate } from './migrate.ts';
import type { Durability } from './sqlite-file.ts';
import { retryConflicts } from './transaction-retry.ts';

/** What {@link openDatabase} takes. */
export interface DatabaseOptions {
  /** `sqlite:./file.db`, `sqlite::memory:` or `postgres://user:password@host/database?schema=name`. */
  readonly url: string;
  /** Steps to the present shape of the tables by name; they run in the order of the names, each once. Default none. */
  readonly migrations?: Readonly<Record<string, Migration>>;
  /** SQLite: `full` survives a power cut, `process` the death of the process and writes about ten times faster. Default `full`. */
  readonly durability?: Durability;
  /** SQLite: false when no other process opens the file; it is then locked for others. Default true. */
  readonly shared?: boolean;
  /** SQLite: longest wait for the write lock of another process, in ms. Default 5000. */
  readonly busyTimeoutMs?: number;
  /** PostgreSQL: most connections at once. Default 10. */
  readonly poolSize?: number;
}

/** An open database. */
export interface Database<Schema> extends AsyncDisposable {
  readonly engine: 'sqlite' | 'postgres';
  readonly db: Kysely<Schema>;
  /** Rejects when the database does not answer; a health check. */
  check(): Promise<void>;
  /**
   * Runs `work` in a transaction that writes; it is rolled back when `work` rejects. PostgreSQL may find that two
   * transactions are in each other's way: then `work` runs again, at most three times, so it should do nothing but queries.
   */
  transaction<T>(work: (trx: Transaction<Schema>) => Promise<T>): Promise<T>;
  /** Closes every connection. Calling it again does nothing. */
  close(): Promise<void>;
}

/** While another process migrates, which may take longer than any single write. */
const migrationPatienceMs = 60_000;

/**
 * Opens a database by its URL and brings its tables up to date.
 *
 * @throws {DatabaseOpenError} when it cannot be opened as asked; RangeError for an option out of range.
 * @example const database = await openDatabase<Tables>({ url: 'sqlite:./users.db', migrations })
 */
export async function openDatabase<Schema>(options: DatabaseOptions): Promise<Database<Schema>> {
  const { busyTimeoutMs = 5000, poolSize = 10 } = options;
  assertInteger('busyTimeoutMs', busyTimeoutMs, 0);
  assertInteger('poolSize', poolSize, 1);
  const target = parseDatabaseUrl(options.url);
  let patienceMs = busyTimeoutMs;
  const db = new Kysely<Schema>({
    dialect: await dialectOf(target, { ...options, poolSize }, () => patienceMs),
  });
  try {
    await ping(db);
    patienceMs = migrationPatienceMs;
    if (options.migrations) await migrate(db, options.migrations, schemaOf(target));
  } catch (error) {
    await db.destroy();
    throw error;
  }
  patienceMs = busyTimeoutMs;
  let closing: Promise<void> | undefined;
  const close = () => (closing ??= db.destroy());
  return {
    engine: target.engine,
    db,
    check: () => ping(db),
    transaction: (work) => retryConflicts(() => db.transaction().execute(work)),
    close,
    [Symbol.asyncDispose]: close,
  };
}

/** Each engine is loaded only when it is used. */
async function dialectOf(
  target: DatabaseTarget,
  { durability = 'full', shared = true, poolSize }: DatabaseOptions & { poolSize: number },
  totalMs: () => number,
): Promise<Dialect> {
  if (target.engine === 'postgres') {
    const { postgresDialect } = await import('./postgres.ts');
    return postgresDialect({ ...target, poolSize });
  }
  const [{ NodeSqliteDialect }, { openSqlite }] = await Promise.all([
    import('./sqlite-dialect.ts'),
    import('./sqlite-file.ts'),
  ]);
  const retry = busyRetry({ totalMs });
  return new NodeSqliteDialect({
    retry,
    open: () => openSqlite({ path: target.path, durability, shared }, retry),
  });
}

function schemaOf(target: DatabaseTarget): string | undefined {
  return target.engine === 'postgres' ? target.schema : undefined;
}

async function ping<Schema>(db: Kysely<Schema>): Promise<void> {
  await sql`select 1`.execute(db);
}

function assertInteger(name: string, value: number, min: number): void {
  if (Number.isInteger(value) && value >= min) return;
  throw new RangeError(`database: ${name} must be an integer >= ${min}, got ${value}`);
}
