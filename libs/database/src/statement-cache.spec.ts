import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { DatabaseSync } from 'node:sqlite';
import type { StatementSync } from 'node:sqlite';
import { StatementCache } from './statement-cache.ts';

test('knows what returns rows', () => {
  const database = new DatabaseSync(':memory:');
  database.exec('create table note (id integer primary key, title text)');
  const cache = new StatementCache(database, 10);
  const readers = [
    'select * from note',
    "insert into note (title) values ('a') returning id",
    'pragma user_version',
    'with a as (select 1) select * from a',
  ];
  const writers = [
    "insert into note (title) values ('select')",
    'update note set title = 1',
    'begin',
    'rollback',
    'pragma user_version = 1',
  ];
  expect(readers.map((sql) => cache.get(sql).isReader)).toEqual(readers.map(() => true));
  expect(writers.map((sql) => cache.get(sql).isReader)).toEqual(writers.map(() => false));
  database.close();
});

test('keeps the statements used last, and no more than it may', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 5 }),
      fc.array(fc.integer({ min: 0, max: 8 }).map(String), { maxLength: 60 }),
      (size, queries) => {
        const prepared: string[] = [];
        const cache = new StatementCache(
          {
            prepare: (sql) => {
              prepared.push(sql);
              return { columns: () => [] } as unknown as StatementSync;
            },
          },
          size,
        );
        const model: string[] = [];
        const expected: string[] = [];
        for (const sql of queries) {
          cache.get(sql);
          const at = model.indexOf(sql);
          if (at === -1) expected.push(sql);
          else model.splice(at, 1);
          model.push(sql);
          if (model.length > size) model.shift();
        }
        expect(prepared).toEqual(expected);
      },
    ),
  );
});
