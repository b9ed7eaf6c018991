import { CompiledQuery, SqliteAdapter, SqliteIntrospector, SqliteQueryCompiler } from 'kysely';
import type {
  DatabaseConnection,
  DatabaseIntrospector,
  Dialect,
  DialectAdapter,
  Driver,
  Kysely,
  QueryCompiler,
  QueryResult,
  TransactionSettings,
} from 'kysely';
import type { DatabaseSync } from 'node:sqlite';
import type { BusyRetry } from './busy-retry.ts';
import { StatementCache } from './statement-cache.ts';
import { toSqlite } from './sqlite-values.ts';

/** What the dialect takes. */
export interface NodeSqliteDialectOptions {
  /** Opens the database when it is first needed. */
  readonly open: () => Promise<DatabaseSync>;
  /** Waits for locks of other processes. */
  readonly retry: BusyRetry;
  /** Prepared statements that are kept. Default 500. */
  readonly statementCacheSize?: number;
}

/** Kysely over `node:sqlite`: one connection, transactions that take the write lock when they begin. */
export class NodeSqliteDialect implements Dialect {
  readonly #options: NodeSqliteDialectOptions;

  constructor(options: NodeSqliteDialectOptions) {
    this.#options = options;
  }

  createAdapter(): DialectAdapter {
    return new NodeSqliteAdapter();
  }

  createDriver(): Driver {
    return new NodeSqliteDriver(this.#options);
  }

  createIntrospector(db: Kysely<unknown>): DatabaseIntrospector {
    return new SqliteIntrospector(db);
  }

  createQueryCompiler(): QueryCompiler {
    return new SqliteQueryCompiler();
  }
}

/**
 * SQLite's DDL is transactional. Saying so makes Kysely migrate inside of one transaction, whose write lock is what keeps
 * two processes from migrating at once: the second finds everything done.
 */
class NodeSqliteAdapter extends SqliteAdapter {
  override get supportsTransactionalDdl(): boolean {
    return true;
  }
}

class NodeSqliteDriver implements Driver {
  readonly #options: NodeSqliteDialectOptions;
  #database: DatabaseSync | undefined;
  #connection: NodeSqliteConnection | undefined;

  constructor(options: NodeSqliteDialectOptions) {
    this.#options = options;
  }

  async init(): Promise<void> {
    this.#database = await this.#options.open();
    this.#connection = new NodeSqliteConnection(this.#database, this.#options);
  }

  acquireConnection(): Promise<DatabaseConnection> {
    // Kysely calls init() first and holds a lock around the only connection.
    if (this.#connection === undefined) return Promise.reject(new Error('database: not open'));
    return Promise.resolve(this.#connection);
  }

  /**
   * A transaction that reads and then writes could not wait for the write lock any more (SQLITE_BUSY_SNAPSHOT), so the
   * lock is taken at the beginning.
   */
  async beginTransaction(connection: DatabaseConnection, { accessMode }: TransactionSettings): Promise<void> {
    await connection.executeQuery(
      CompiledQuery.raw(accessMode === 'read only' ? 'begin' : 'begin immediate'),
    );
  }

  async commitTransaction(connection: DatabaseConnection): Promise<void> {
    await connection.executeQuery(CompiledQuery.raw('commit'));
  }

  async rollbackTransaction(connection: DatabaseConnection): Promise<void> {
    // After some faults (disk full, for one) SQLite has rolled back already.
    if (this.#database?.isTransaction === true) await connection.executeQuery(CompiledQuery.raw('rollback'));
  }

  async savepoint(connection: DatabaseConnection, name: string): Promise<void> {
    await connection.executeQuery(CompiledQuery.raw(`savepoint ${quoted(name)}`));
  }

  async rollbackToSavepoint(connection: DatabaseConnection, name: string): Promise<void> {
    await connection.executeQuery(CompiledQuery.raw(`rollback to ${quoted(name)}`));
  }

  async releaseSavepoint(connection: DatabaseConnection, name: string): Promise<void> {
    await connection.executeQuery(CompiledQuery.raw(`release ${quoted(name)}`));
  }

  releaseConnection(): Promise<void> {
    return Promise.resolve();
  }

  destroy(): Promise<void> {
    this.#database?.close();
    this.#database = undefined;
    return Promise.resolve();
  }
}

function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

class NodeSqliteConnection implements DatabaseConnection {
  readonly #database: DatabaseSync;
  readonly #statements: StatementCache;
  readonly #retry: BusyRetry;

  constructor(database: DatabaseSync, { retry, statementCacheSize = 500 }: NodeSqliteDialectOptions) {
    this.#database = database;
    this.#statements = new StatementCache(database, statementCacheSize);
    this.#retry = retry;
  }

  /** A statement that met a lock has done nothing yet, and one inside of a transaction meets none: trying again is safe. */
  async executeQuery<R>({ sql, parameters }: CompiledQuery): Promise<QueryResult<R>> {
    const values = parameters.map(toSqlite);
    return await this.#retry(() => {
      const statement = this.#statements.get(sql);
      // What has columns returns rows: also `insert .. returning` and pragmas, which no look at the words would tell.
      if (statement.isReader) return { rows: statement.prepared.all(...values) as R[] };
      const { changes, lastInsertRowid } = statement.prepared.run(...values);
      return { rows: [], numAffectedRows: BigInt(changes), insertId: BigInt(lastInsertRowid) };
    });
  }

  async *streamQuery<R>({ sql, parameters }: CompiledQuery): AsyncIterableIterator<QueryResult<R>> {
    // A statement of its own: one from the cache could be asked for again while this one is still being read.
    const values = parameters.map(toSqlite);
    const rows = await this.#retry(() => this.#database.prepare(sql).iterate(...values));
    for (const row of rows) yield { rows: [row as R] };
  }
}
