export { autoId } from './auto-id.ts';
export { openDatabase, type Database, type DatabaseOptions } from './database.ts';
export {
  DatabaseBusyError,
  DatabaseOpenError,
  isDatabaseBusyError,
  isDatabaseOpenError,
  isUniqueViolation,
} from './errors.ts';
export type { Durability } from './sqlite-file.ts';
export type { Migration } from 'kysely/migration';
