import { autoId, type Migration } from '@mesh/database';
import type { Generated, Kysely } from 'kysely';

export interface UserSchema {
  users: UserTable;
}

interface UserTable {
  id: Generated<number>;
  name: string;
  /** Lower case, unique. */
  email: string;
  age: number;
}

const firstUsers = [
  { name: 'John Doe', email: 'john@example.com', age: 30 },
  { name: 'Jane Smith', email: 'jane@example.com', age: 25 },
  { name: 'Bob Johnson', email: 'bob@example.com', age: 35 },
];

export const migrations: Record<string, Migration> = {
  '001-users': {
    async up(db: Kysely<UserSchema>) {
      await db.schema
        .createTable('users')
        .$call(autoId(db, 'id'))
        .addColumn('name', 'text', (column) => column.notNull())
        .addColumn('email', 'text', (column) => column.notNull().unique())
        .addColumn('age', 'integer', (column) => column.notNull())
        .execute();
      await db.insertInto('users').values(firstUsers).execute();
    },
  },
};
