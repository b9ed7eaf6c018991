import type { DatabaseSync, StatementSync } from 'node:sqlite';

/** A prepared statement, and whether it returns rows. */
export interface CachedStatement {
  readonly prepared: StatementSync;
  readonly isReader: boolean;
}

/** The statements used last, prepared once (least recently used goes first). */
export class StatementCache {
  readonly #database: Pick<DatabaseSync, 'prepare'>;
  readonly #size: number;
  readonly #statements = new Map<string, CachedStatement>();

  constructor(database: Pick<DatabaseSync, 'prepare'>, size: number) {
    this.#database = database;
    this.#size = size;
  }

  /** The statement for this text. */
  get(sql: string): CachedStatement {
    let statement = this.#statements.get(sql);
    if (statement === undefined) {
      const prepared = this.#database.prepare(sql);
      statement = { prepared, isReader: prepared.columns().length > 0 };
    } else {
      this.#statements.delete(sql);
    }
    this.#statements.set(sql, statement);
    if (this.#statements.size > this.#size) {
      const oldest = this.#statements.keys().next();
      if (oldest.done !== true) this.#statements.delete(oldest.value);
    }
    return statement;
  }
}
