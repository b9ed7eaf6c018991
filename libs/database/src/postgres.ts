import { PostgresDialect } from 'kysely';
import type { Dialect } from 'kysely';
import pg from 'pg';
import { DatabaseOpenError } from './errors.ts';

/** What {@link postgresDialect} takes. */
export interface PostgresOptions {
  readonly connectionString: string;
  /** Schema that unqualified names mean. Default: what the server says, usually `public`. */
  readonly schema: string | undefined;
  /** Most connections at once. */
  readonly poolSize: number;
}

/** OID of `int8`, in which `count(*)` and identities come. */
const int8 = 20;

/** Kysely over a pool of `pg`. */
export function postgresDialect({ connectionString, schema, poolSize }: PostgresOptions): Dialect {
  if (schema !== undefined && !/^[a-z_][a-z0-9_]{0,62}$/.test(schema)) {
    throw new DatabaseOpenError(
      'database: a schema is lower-case letters, digits and _, at most 63, no digit first',
    );
  }
  const pool = new pg.Pool({
    connectionString,
    max: poolSize,
    connectionTimeoutMillis: 5000,
    idleTimeoutMillis: 30_000,
    keepAlive: true,
    types: { getTypeParser: parserOf },
    ...(schema !== undefined && { options: `-c search_path=${schema}` }),
  });
  // A connection that breaks while nobody uses it: the pool drops it, and the next query takes another.
  pool.on('error', () => undefined);
  return new PostgresDialect({ pool });
}

const parserOf: typeof pg.types.getTypeParser = (oid: number, format?: 'text' | 'binary') =>
  oid === int8
    ? toNumber
    : (pg.types.getTypeParser as (oid: number, format?: string) => unknown)(oid, format);

/** The same type as from SQLite, and no digit lost without a word. */
function toNumber(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value))
    throw new RangeError(`database: ${text} does not fit into a number; cast it to text`);
  return value;
}
