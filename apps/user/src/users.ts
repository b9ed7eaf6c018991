import { isUniqueViolation } from '@mesh/database';
import { HttpProblem } from '@mesh/problem';
import type { Kysely } from 'kysely';
import type { UserSchema } from './migrations.ts';

export interface NewUser {
  readonly name: string;
  readonly email: string;
  readonly age: number;
}

export interface User extends NewUser {
  readonly id: number;
}

export interface UserPage {
  readonly ids?: readonly number[] | undefined;
  readonly limit: number;
  readonly offset: number;
}

const missing = (id: number) =>
  new HttpProblem('ERR_USER_UNKNOWN', `There is no user ${id}.`, { status: 404 });

/** The people of the shop. An email belongs to one person, whatever its case. */
export class Users {
  readonly #db: Kysely<UserSchema>;

  constructor(db: Kysely<UserSchema>) {
    this.#db = db;
  }

  async list({ ids, limit, offset }: UserPage): Promise<{ users: User[]; total: number }> {
    const wanted = ids ? this.#db.selectFrom('users').where('id', 'in', ids) : this.#db.selectFrom('users');
    const users = await wanted.selectAll().orderBy('id').limit(limit).offset(offset).execute();
    const { total } = await wanted
      .select(({ fn }) => fn.countAll<number>().as('total'))
      .executeTakeFirstOrThrow();
    return { users, total };
  }

  async get(id: number): Promise<User> {
    const user = await this.#db.selectFrom('users').selectAll().where('id', '=', id).executeTakeFirst();
    if (!user) throw missing(id);
    return user;
  }

  create(user: NewUser): Promise<User> {
    return this.#unique(user.email, () =>
      this.#db.insertInto('users').values(normalised(user)).returningAll().executeTakeFirstOrThrow(),
    );
  }

  async update(id: number, changes: Partial<NewUser>): Promise<User> {
    if (Object.keys(changes).length === 0) return this.get(id);
    const user = await this.#unique(changes.email, () =>
      this.#db
        .updateTable('users')
        .set(normalised(changes))
        .where('id', '=', id)
        .returningAll()
        .executeTakeFirst(),
    );
    if (!user) throw missing(id);
    return user;
  }

  async remove(id: number): Promise<void> {
    const { numDeletedRows } = await this.#db.deleteFrom('users').where('id', '=', id).executeTakeFirst();
    if (numDeletedRows === 0n) throw missing(id);
  }

  async #unique<T>(email: string | undefined, write: () => Promise<T>): Promise<T> {
    try {
      return await write();
    } catch (error) {
      if (!isUniqueViolation(error)) throw error;
      throw new HttpProblem('ERR_EMAIL_TAKEN', `Another user has the email ${email ?? ''}.`, {
        status: 409,
        cause: error,
      });
    }
  }
}

function normalised<T extends Partial<NewUser>>(user: T): T {
  return user.email === undefined ? user : { ...user, email: user.email.toLowerCase() };
}
