import { isUniqueViolation } from '@mesh/database';
import { HttpProblem } from '@mesh/problem';
import type { Kysely, Selectable } from 'kysely';
import type { OrderSchema } from './migrations.ts';

export interface NewOrder {
  readonly userId: number;
  readonly products: readonly string[];
}

export interface Order extends NewOrder {
  readonly id: number;
  readonly status: string;
  readonly createdAt: string;
}

export interface OrderPage {
  readonly userIds?: readonly number[] | undefined;
  readonly limit: number;
  readonly offset: number;
}

/** Orders, each of one user. An idempotency key names one order for ever: asking again answers with the first. */
export class Orders {
  readonly #db: Kysely<OrderSchema>;

  constructor(db: Kysely<OrderSchema>) {
    this.#db = db;
  }

  async list({ userIds, limit, offset }: OrderPage): Promise<{ orders: Order[]; total: number }> {
    const wanted = userIds
      ? this.#db.selectFrom('orders').where('user_id', 'in', userIds)
      : this.#db.selectFrom('orders');
    const rows = await wanted.selectAll().orderBy('id').limit(limit).offset(offset).execute();
    const { total } = await wanted
      .select(({ fn }) => fn.countAll<number>().as('total'))
      .executeTakeFirstOrThrow();
    return { orders: rows.map(toOrder), total };
  }

  async get(id: number): Promise<Order> {
    const row = await this.#db.selectFrom('orders').selectAll().where('id', '=', id).executeTakeFirst();
    if (!row) throw new HttpProblem('ERR_ORDER_UNKNOWN', `There is no order ${id}.`, { status: 404 });
    return toOrder(row);
  }

  async create({ userId, products }: NewOrder, idempotencyKey?: string): Promise<Order> {
    const row = {
      user_id: userId,
      products: JSON.stringify(products),
      status: 'pending',
      idempotency_key: idempotencyKey ?? null,
      created_at: new Date().toISOString(),
    };
    try {
      return toOrder(
        await this.#db.insertInto('orders').values(row).returningAll().executeTakeFirstOrThrow(),
      );
    } catch (error) {
      if (idempotencyKey === undefined || !isUniqueViolation(error)) throw error;
      return this.#repeated(idempotencyKey, row);
    }
  }

  async #repeated(key: string, asked: { user_id: number; products: string }): Promise<Order> {
    const first = await this.#db
      .selectFrom('orders')
      .selectAll()
      .where('idempotency_key', '=', key)
      .executeTakeFirstOrThrow();
    if (first.user_id === asked.user_id && first.products === asked.products) return toOrder(first);
    throw new HttpProblem('ERR_IDEMPOTENCY_KEY_REUSED', 'This Idempotency-Key belongs to another order.', {
      status: 422,
    });
  }
}

function toOrder(row: Selectable<OrderSchema['orders']>): Order {
  return {
    id: row.id,
    userId: row.user_id,
    products: JSON.parse(row.products) as string[],
    status: row.status,
    createdAt: row.created_at,
  };
}
