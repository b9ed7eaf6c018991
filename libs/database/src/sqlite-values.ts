import type { SQLInputValue } from 'node:sqlite';

/**
 * A parameter as SQLite takes it. What node:sqlite would misread is turned into what was meant, or refused: a Date or NaN
 * would silently be stored as null, and an object in the first place would be taken for named parameters.
 */
export function toSqlite(value: unknown): SQLInputValue {
  switch (typeof value) {
    case 'string':
    case 'bigint':
      return value;
    case 'boolean':
      return value ? 1 : 0;
    case 'undefined':
      return null;
    case 'number':
      if (Number.isNaN(value)) throw new RangeError('database: NaN is no value that can be stored');
      return value;
    default:
      if (value === null || value instanceof Uint8Array) return value;
      if (value instanceof Date) return value.toISOString();
      throw new TypeError(
        `database: ${typeof value} is no value that can be stored; store JSON.stringify(value)`,
      );
  }
}
