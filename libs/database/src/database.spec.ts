import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { sql } from 'kysely';
import type { Kysely } from 'kysely';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { openDatabase } from './database.ts';
import type { Database, DatabaseOptions } from './database.ts';
import { isDatabaseOpenError, isUniqueViolation } from './errors.ts';
import { migrations } from './testing/notes.ts';
import type { Notes } from './testing/notes.ts';

const folder = mkdtempSync(join(tmpdir(), 'mesh-database-'));
const server = 'postgres://root@127.0.0.1:5432/';
const schema = `mesh_database_${process.pid}`;
const postgresUrl = await reachablePostgres();
const opened: Database<Notes>[] = [];
let files = 0;

async function reachablePostgres(): Promise<string | undefined> {
  for (const name of ['test', 'postgres']) {
    const client = new pg.Client({ connectionString: `${server}${name}`, connectionTimeoutMillis: 1000 });
    try {
      await client.connect();
      return `${server}${name}`;
    } catch {
      // The next one, or none.
    } finally {
      await client.end().catch(() => undefined);
    }
  }
  process.stderr.write(`SKIPPED: the PostgreSQL suite, because no server answers at ${server}test\n`);
  return undefined;
}

async function onServer(statement: string): Promise<void> {
  const client = new pg.Client({ connectionString: postgresUrl });
  await client.connect();
  await client.query(statement);
  await client.end();
}

async function open(options: DatabaseOptions): Promise<Database<Notes>> {
  const database = await openDatabase<Notes>(options);
  opened.push(database);
  return database;
}

async function isRefusedAsTaken(statement: Promise<unknown>): Promise<boolean> {
  const failure = await statement.then(
    () => undefined,
    (error: unknown) => error,
  );
  expect(failure).toBeDefined();
  return isUniqueViolation(failure);
}

function freshFile(): string {
  files += 1;
  return `sqlite:${join(folder, `new-folder-${files}`, 'notes.db')}`;
}

afterEach(async () => {
  await Promise.all(opened.splice(0).map((database) => database.close()));
});

afterAll(() => {
  rmSync(folder, { recursive: true });
});

const engines: [string, () => string, boolean][] = [
  ['SQLite in a file', freshFile, true],
  ['SQLite in memory', () => 'sqlite::memory:', true],
  ['PostgreSQL', () => `${postgresUrl ?? ''}?schema=${schema}`, postgresUrl !== undefined],
];

describe.each(engines.filter(([, , available]) => available))('%s', (name, url) => {
  const drop = () => onServer(`drop schema if exists ${schema} cascade`);
  if (name === 'PostgreSQL') {
    beforeAll(drop);
    afterEach(drop);
  }

  test('creates, reads, updates and deletes', async () => {
    const { db } = await open({ url: url(), migrations });
    const { id } = await db
      .insertInto('note')
      .values({ title: 'milk', body: 'two' })
      .returning('id')
      .executeTakeFirstOrThrow();
    expect(typeof id).toBe('number');
    const updated = await db
      .updateTable('note')
      .set({ body: 'three' })
      .where('id', '=', id)
      .executeTakeFirstOrThrow();
    expect(updated.numUpdatedRows).toBe(1n);
    expect(await db.selectFrom('note').selectAll().where('id', '=', id).execute()).toEqual([
      { id, title: 'milk', body: 'three' },
    ]);
    const deleted = await db.deleteFrom('note').where('id', '=', id).executeTakeFirstOrThrow();
    expect(deleted.numDeletedRows).toBe(1n);
    expect(await db.selectFrom('note').select('id').where('id', '=', id).executeTakeFirst()).toBeUndefined();
  });

  test('counts in numbers, and inserts or updates', async () => {
    const { db } = await open({ url: url(), migrations });
    await db
      .insertInto('note')
      .values({ title: 'one', body: 'again' })
      .onConflict((conflict) => conflict.column('title').doUpdateSet({ body: 'again' }))
      .execute();
    const row = await db
      .selectFrom('note')
      .select((builder) => builder.fn.countAll<number>().as('count'))
      .executeTakeFirstOrThrow();
    expect(row.count).toBe(3);
  });

  test('a transaction is kept whole or not at all', async () => {
    const database = await open({ url: url(), migrations });
    const result = await database.transaction(async (trx) => {
      await trx.insertInto('note').values({ title: 'kept' }).execute();
      return 'done';
    });
    expect(result).toBe('done');
    const failure = new Error('changed my mind');
    await expect(
      database.transaction(async (trx) => {
        await trx.insertInto('note').values({ title: 'dropped' }).execute();
        throw failure;
      }),
    ).rejects.toBe(failure);
    const titles = await database.db.selectFrom('note').select('title').orderBy('id').execute();
    expect(titles.map(({ title }) => title)).toEqual(['one', 'two', 'three', 'kept']);
  });

  test('a taken key is a unique violation, in and out of a transaction, and nothing else is', async () => {
    const database = await open({ url: url(), migrations });
    const again = (db: Kysely<Notes>) => db.insertInto('note').values({ title: 'one' }).execute();
    expect(await isRefusedAsTaken(again(database.db))).toBe(true);
    expect(await isRefusedAsTaken(database.transaction(again))).toBe(true);
    const sameId = database.db.insertInto('note').values({ id: 1, title: 'other' }).execute();
    expect(await isRefusedAsTaken(sameId)).toBe(true);
    const nullTitle = sql`insert into note (title) values (null)`.execute(database.db);
    expect(await isRefusedAsTaken(nullTitle)).toBe(false);
    await database.check();
  });

  test('opens again without migrating again', async () => {
    const address = url();
    const first = await open({ url: address, migrations });
    if (address !== 'sqlite::memory:') {
      const { db } = await open({ url: address, migrations });
      expect(await db.selectFrom('note').select('title').execute()).toHaveLength(3);
    }
    await first.check();
  });

  test('six that open at once migrate once', async () => {
    const address = url();
    const databases = await Promise.all(Array.from({ length: 6 }, () => open({ url: address, migrations })));
    for (const { db } of databases)
      expect(await db.selectFrom('note').select('title').execute()).toHaveLength(3);
  });

  test('a migration that fails leaves nothing behind and is named', async () => {
    const address = url();
    const broken = {
      ...migrations,
      '003-broken': {
        async up(db: Kysely<unknown>) {
          await db.schema.createTable('half').addColumn('id', 'integer').execute();
          await sql`no such statement`.execute(db);
        },
      },
    };
    await expect(open({ url: address, migrations: broken })).rejects.toThrow(
      'database: migration 003-broken failed:',
    );
    if (address === 'sqlite::memory:') return;
    const { db } = await open({ url: address });
    const tables = await db.introspection.getTables();
    expect(tables.map((table) => table.name)).not.toContain('half');
  });

  test('check tells a closed database; closing twice is fine', async () => {
    const database = await open({ url: url(), migrations });
    await database.check();
    await Promise.all([database.close(), database.close()]);
    await expect(database.check()).rejects.toThrow();
  });
});

describe('SQLite', () => {
  test('writes ahead, syncs fully, enforces foreign keys and waits little by itself', async () => {
    const { db } = await open({ url: freshFile() });
    const pragma = async (name: string) =>
      Object.values((await sql.raw(`pragma ${name}`).execute(db)).rows[0] as object)[0] as unknown;
    expect(await pragma('journal_mode')).toBe('wal');
    expect(await pragma('synchronous')).toBe(2);
    expect(await pragma('foreign_keys')).toBe(1);
    expect(await pragma('busy_timeout')).toBe(20);
  });

  test('durability "process" syncs less often', async () => {
    const { db } = await open({ url: freshFile(), durability: 'process' });
    expect((await sql`pragma synchronous`.execute(db)).rows).toEqual([{ synchronous: 1 }]);
  });

  test('stores what was meant, not what the driver would make of it', async () => {
    const { db } = await open({ url: 'sqlite::memory:' });
    const show = async (value: unknown) =>
      (await sql<{ v: unknown }>`select ${value} as v`.execute(db)).rows[0]?.v;
    expect(await show(true)).toBe(1);
    expect(await show(new Date(0))).toBe('1970-01-01T00:00:00.000Z');
    expect(await show(Buffer.from('a'))).toEqual(new Uint8Array([97]));
    expect(await show(null)).toBeNull();
    await expect(show(NaN)).rejects.toThrow('NaN');
    await expect(show({ title: 'x' })).rejects.toThrow('JSON.stringify');
    await expect(show(2n ** 60n)).rejects.toThrow();
  });

  test('streams rows while other statements run', async () => {
    const { db } = await open({ url: 'sqlite::memory:', migrations });
    const titles: string[] = [];
    for await (const { title } of db.selectFrom('note').select('title').orderBy('id').stream())
      titles.push(title);
    expect(titles).toEqual(['one', 'two', 'three']);
  });

  test('savepoints roll back a part of a transaction', async () => {
    const { db } = await open({ url: 'sqlite::memory:', migrations });
    const trx = await db.startTransaction().execute();
    const kept = await trx.savepoint('before').execute();
    await kept.insertInto('note').values({ title: 'four' }).execute();
    const back = await kept.rollbackToSavepoint('before').execute();
    await back.insertInto('note').values({ title: 'five' }).execute();
    await back.commit().execute();
    const titles = await db.selectFrom('note').select('title').where('id', '>', 3).execute();
    expect(titles).toEqual([{ title: 'five' }]);
  });

  test('a file that is not shared is locked for others, who are told so', async () => {
    const url = freshFile();
    const own = await open({ url, migrations, shared: false });
    await expect(open({ url, busyTimeoutMs: 30 })).rejects.toThrow('still locked by another process');
    await own.close();
    await open({ url });
  });

  test('a lock that is held too long is a busy database; nothing was written', async () => {
    const url = freshFile();
    const [holder, other] = [await open({ url, migrations }), await open({ url, busyTimeoutMs: 30 })];
    let tried: unknown;
    await holder.transaction(async (trx) => {
      await trx.insertInto('note').values({ title: 'held' }).execute();
      tried = await other.db
        .insertInto('note')
        .values({ title: 'late' })
        .execute()
        .catch((error: unknown) => error);
      // Readers are not held up by a writer.
      expect(await other.db.selectFrom('note').select('id').execute()).toHaveLength(3);
    });
    expect(tried).toMatchObject({ name: 'DatabaseBusyError', code: 'ERR_UNAVAILABLE', retryAfterMs: 1000 });
    expect(await other.db.selectFrom('note').select('id').execute()).toHaveLength(4);
  });

  test('makes the folder of the file', async () => {
    const url = freshFile();
    await open({ url });
    expect(statSync(url.slice('sqlite:'.length)).isFile()).toBe(true);
  });
});

describe('what cannot be opened says why', () => {
  test.each([
    'mysql://root:hunter2@db/notes',
    'hunter2',
    'notes.db',
    '',
    'sqlite:',
    'postgres:',
    'postgres://db/notes?schema=No-Name',
  ])('%p', async (url) => {
    const failure = await open({ url }).catch((error: unknown) => error);
    expect(isDatabaseOpenError(failure)).toBe(true);
    expect(String(failure)).not.toContain('hunter2');
  });

  test('options out of range', async () => {
    await expect(open({ url: 'sqlite::memory:', busyTimeoutMs: -1 })).rejects.toThrow(
      new RangeError('database: busyTimeoutMs must be an integer >= 0, got -1'),
    );
    await expect(open({ url: 'sqlite::memory:', poolSize: 0 })).rejects.toThrow('poolSize');
  });

  test('a PostgreSQL that is not there rejects instead of waiting for ever', async () => {
    await expect(open({ url: 'postgres://root@127.0.0.1:1/test' })).rejects.toMatchObject({
      code: 'ECONNREFUSED',
    });
  });
});
