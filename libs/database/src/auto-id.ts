import { PostgresAdapter } from 'kysely';
import type { CreateTableBuilder, Kysely } from 'kysely';

/**
 * A primary key that the database counts up by itself, for `$call` in a migration: `integer` of SQLite, an identity of
 * PostgreSQL. Numbers are never given twice.
 *
 * @example await db.schema.createTable('users').$call(autoId(db, 'id')).addColumn('name', 'text').execute()
 */
export function autoId<Schema, C extends string>(db: Kysely<Schema>, column: C) {
  const isPostgres = db.getExecutor().adapter instanceof PostgresAdapter;
  return <T extends string, Columns extends string>(table: CreateTableBuilder<T, Columns>) =>
    table.addColumn(column, 'integer', (definition) =>
      isPostgres
        ? definition.primaryKey().generatedByDefaultAsIdentity()
        : definition.primaryKey().autoIncrement(),
    );
}
