import type { Answer, Upstream } from '@mesh/gateway';
import type { ServiceClient } from '@mesh/service-client';
import type { TraceContext } from '@mesh/trace-context';

export interface User {
  readonly id: number;
  readonly name: string;
  readonly email: string | null;
  readonly age: number | null;
}

export interface Order {
  readonly id: number;
  readonly userId: number;
  readonly products: readonly string[];
}

export interface UserWithOrders extends User {
  readonly orders: readonly Order[];
}

export interface Combined {
  readonly users: readonly UserWithOrders[];
  /** How many orders these users have; the first 1000 are here. */
  readonly orderCount: number;
  readonly parts: { readonly users: Answer<unknown>; readonly orders: Answer<unknown> };
}

export interface Paging {
  readonly limit: number;
  readonly offset: number;
}

/** A page of a list; `total` is how many there are on all of its pages. */
interface Page {
  readonly meta?: { readonly total?: number };
}

interface UserList extends Page {
  readonly users: readonly User[];
}

interface OrderList extends Page {
  readonly orders: readonly Order[];
}

interface Upstreams {
  readonly users: Upstream;
  readonly orders: Upstream;
}

const noUsers: UserList = { users: [] };
const noOrders: OrderList = { orders: [] };

/** What the gateway knows of the shop: two upstreams, and how their answers are put together. */
export class Shop {
  readonly #client: ServiceClient;
  readonly #upstreams: Upstreams;

  constructor(client: ServiceClient, upstreams: Upstreams) {
    this.#client = client;
    this.#upstreams = upstreams;
  }

  users({ limit, offset }: Paging, trace: TraceContext): Promise<Answer<UserList>> {
    const path = `/users?limit=${limit}&offset=${offset}`;
    return this.#read(this.#upstreams.users, path, noUsers, trace);
  }

  ordersOf(userId: number, { limit, offset }: Paging, trace: TraceContext): Promise<Answer<OrderList>> {
    const path = `/orders/user/${userId}?limit=${limit}&offset=${offset}`;
    return this.#read(this.#upstreams.orders, path, noOrders, trace);
  }

  /** Two requests, however many users. With no users at hand the orders alone tell who there must be. */
  async usersWithOrders(paging: Paging, trace: TraceContext): Promise<Combined> {
    const users = await this.users(paging, trace);
    const known = users.source !== 'fallback';
    const ids = users.data.users.map(({ id }) => id);
    const path = known ? `/orders?userIds=${ids.join(',')}&limit=1000` : '/orders?limit=1000';
    const orders =
      known && ids.length === 0
        ? { data: noOrders, source: users.source, degraded: users.degraded }
        : await this.#read(this.#upstreams.orders, path, noOrders, trace);
    const byUser = Map.groupBy(orders.data.orders, ({ userId }) => userId);
    const people = known ? users.data.users : [...byUser.keys()].map(unknownUser);
    return {
      users: people.map((user) => ({ ...user, orders: byUser.get(user.id) ?? [] })),
      orderCount: orders.data.meta?.total ?? orders.data.orders.length,
      parts: { users, orders },
    };
  }

  #read<T>(upstream: Upstream, path: string, empty: T, trace: TraceContext): Promise<Answer<T>> {
    return upstream.read(path, () => this.#client.json<T>({ service: upstream.service, path, trace }), empty);
  }
}

function unknownUser(id: number): User {
  return { id, name: 'Unknown (service unavailable)', email: null, age: null };
}
