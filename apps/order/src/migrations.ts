import { autoId, type Migration } from '@mesh/database';
import type { Generated, Kysely } from 'kysely';

export interface OrderSchema {
  orders: OrderTable;
}

interface OrderTable {
  id: Generated<number>;
  user_id: number;
  /** JSON array of product names. */
  products: string;
  status: string;
  /** The caller's Idempotency-Key: one key, one order. */
  idempotency_key: string | null;
  created_at: string;
}

const firstOrders = [
  { user_id: 1, products: ['Product A', 'Product B'], status: 'confirmed' },
  { user_id: 2, products: ['Product C'], status: 'pending' },
  { user_id: 1, products: ['Product D'], status: 'shipped' },
];

export const migrations: Record<string, Migration> = {
  '001-orders': {
    async up(db: Kysely<OrderSchema>) {
      await db.schema
        .createTable('orders')
        .$call(autoId(db, 'id'))
        .addColumn('user_id', 'integer', (column) => column.notNull())
        .addColumn('products', 'text', (column) => column.notNull())
        .addColumn('status', 'text', (column) => column.notNull())
        .addColumn('idempotency_key', 'text', (column) => column.unique())
        .addColumn('created_at', 'text', (column) => column.notNull())
        .execute();
      await db.schema.createIndex('orders_by_user').on('orders').columns(['user_id', 'id']).execute();
      const created_at = '2026-01-15T10:30:00.000Z';
      const rows = firstOrders.map((order) => ({
        ...order,
        products: JSON.stringify(order.products),
        idempotency_key: null,
        created_at,
      }));
      await db.insertInto('orders').values(rows).execute();
    },
  },
};
