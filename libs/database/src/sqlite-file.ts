import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import type { BusyRetry } from './busy-retry.ts';
import { DatabaseOpenError } from './errors.ts';

/** `full`: what was acknowledged survives a power cut. `process`: it survives the death of the process. */
export type Durability = 'full' | 'process';

/** What {@link openSqlite} takes. */
export interface SqliteOptions {
  /** Path of the file, or `:memory:`. */
  readonly path: string;
  readonly durability: Durability;
  /** False when no other process opens the file: then it is locked, and an older SQLite will do. */
  readonly shared: boolean;
}

/** First SQLite in which two connections that write and checkpoint at the same instant cannot corrupt the file. */
const firstSafeVersion = '3.51.3';

/** Time that SQLite may block the thread for a lock. The rest of the wait is asynchronous, see `busyRetry`. */
const blockingWaitMs = 20;

/** Opens a database, with the folder of its file, in write-ahead mode with foreign keys enforced. */
export async function openSqlite(
  { path, durability, shared }: SqliteOptions,
  retry: BusyRetry,
): Promise<DatabaseSync> {
  const inFile = path !== ':memory:';
  if (inFile) {
    if (shared) assertSafeToShare(process.versions.sqlite);
    mkdirSync(dirname(path), { recursive: true });
  }
  const database = await retry(() => new DatabaseSync(path));
  try {
    const set = (pragma: string) => retry(() => database.prepare(`pragma ${pragma}`).get());
    await set(`busy_timeout = ${blockingWaitMs}`);
    if (inFile && !shared) await set('locking_mode = exclusive');
    const mode = await set('journal_mode = wal');
    if (inFile && mode?.journal_mode !== 'wal') {
      throw new DatabaseOpenError(
        `database: ${path} is on a file system without shared memory (a network drive?)`,
      );
    }
    await set(`synchronous = ${durability === 'full' ? 'full' : 'normal'}`);
    await set('foreign_keys = on');
    await set('trusted_schema = off');
    await set('journal_size_limit = 67108864');
    return database;
  } catch (error) {
    database.close();
    throw error;
  }
}

/** @throws DatabaseOpenError under a SQLite that can corrupt a file which several processes write. */
export function assertSafeToShare(version: string | undefined): void {
  if (version !== undefined && !isOlder(version, firstSafeVersion)) return;
  throw new DatabaseOpenError(
    `database: SQLite ${version ?? 'of unknown version'} can corrupt a file that several processes write, ${firstSafeVersion} cannot: ` +
      'use Node >= 22.22.3, >= 24.15 or >= 26, or PostgreSQL, or { shared: false } when no other process opens the file',
  );
}

function isOlder(version: string, than: string): boolean {
  const [have, need] = [version, than].map((text) => text.split('.').map(Number));
  for (const [index, part] of (need ?? []).entries()) {
    const own = have?.[index] ?? 0;
    if (own !== part) return !(own > part);
  }
  return false;
}
