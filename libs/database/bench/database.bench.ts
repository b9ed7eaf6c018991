/** Kysely over node:sqlite against node:sqlite itself, on a file in a temporary folder. */
import { contest } from '../../../tools/contest.mts';
import type { Generated, Kysely } from 'kysely';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { openDatabase } from '../src/index.ts';

interface Tables {
  note: { id: Generated<number>; title: string };
}

const migrations = {
  '001': {
    up: (db: Kysely<unknown>) =>
      db.schema
        .createTable('note')
        .addColumn('id', 'integer', (column) => column.primaryKey())
        .addColumn('title', 'text')
        .execute(),
  },
};

const folder = mkdtempSync(join(tmpdir(), 'mesh-bench-'));
const full = await openDatabase<Tables>({ url: `sqlite:${join(folder, 'full.db')}`, migrations });
const fast = await openDatabase<Tables>({
  url: `sqlite:${join(folder, 'fast.db')}`,
  migrations,
  durability: 'process',
});
await fast.db.insertInto('note').values({ title: 'milk' }).execute();
const raw = new DatabaseSync(join(folder, 'fast.db'));
raw.exec('pragma synchronous = normal; pragma busy_timeout = 20');
const rawSelect = raw.prepare('select * from note where id = ?');
const rawInsert = raw.prepare('insert into note (title) values (?)');

function repeat(name: string, once: () => unknown) {
  return {
    name,
    async run(iterations: number) {
      for (let at = 0; at < iterations; at++) await once();
    },
  };
}

await contest('read one row by its key', [
  repeat('node:sqlite', () => rawSelect.get(1)),
  repeat('database', () => fast.db.selectFrom('note').selectAll().where('id', '=', 1).execute()),
]);
await contest('write one row', [
  repeat('node:sqlite, durability process', () => rawInsert.run('milk')),
  repeat('database, durability process', () =>
    fast.db.insertInto('note').values({ title: 'milk' }).execute(),
  ),
  repeat('database, durability full', () => full.db.insertInto('note').values({ title: 'milk' }).execute()),
]);
await contest('a transaction of one read and one write', [
  repeat('durability process', () => readAndWrite(fast)),
  repeat('durability full', () => readAndWrite(full)),
]);
raw.close();
await Promise.all([full.close(), fast.close()]);
rmSync(folder, { recursive: true });

function readAndWrite(database: typeof full) {
  return database.transaction(async (trx) => {
    await trx.selectFrom('note').selectAll().where('id', '=', 1).execute();
    await trx.insertInto('note').values({ title: 'milk' }).execute();
  });
}
