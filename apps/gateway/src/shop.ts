import { aggregate, part, type Answer, type Upstream } from '@mesh/gateway';
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

interface Asker {
  readonly trace: TraceContext;
  readonly signal: AbortSignal | undefined;
}

interface Upstreams {
  readonly users: Upstream;
  readonly orders: Upstream;
}

/** Longest time for both questions together; then what is remembered has to do. */
const timeoutMs = 30_000;

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

  users({ limit, offset }: Paging, trace: TraceContext, signal?: AbortSignal): Promise<Answer<UserList>> {
    const path = `/users?limit=${limit}&offset=${offset}`;
    return this.#read(this.#upstreams.users, path, noUsers, { trace, signal });
  }

  ordersOf(
    userId: number,
    { limit, offset }: Paging,
    trace: TraceContext,
    signal?: AbortSignal,
  ): Promise<Answer<OrderList>> {
    const path = `/orders/user/${userId}?limit=${limit}&offset=${offset}`;
    return this.#read(this.#upstreams.orders, path, noOrders, { trace, signal });
  }

  /** Two requests, however many users. With no users at hand the orders alone tell who there must be. */
  async usersWithOrders(paging: Paging, trace: TraceContext, signal?: AbortSignal): Promise<Combined> {
    const users = part((context) => this.users(paging, trace, context.signal));
    const orders = part(async (context) =>
      this.#ordersOfAll(await context.use(users), { trace, signal: context.signal }),
    );
    const { data } = await aggregate({ users, orders }, { timeoutMs, signal });
    return combine(data.users, data.orders);
  }

  #ordersOfAll(users: Answer<UserList>, asker: Asker): Promise<Answer<OrderList>> {
    const { source, degraded } = users;
    const ids = users.data.users.map(({ id }) => id);
    const isKnown = source !== 'fallback';
    if (isKnown && ids.length === 0) return Promise.resolve({ data: noOrders, source, degraded });
    const path = isKnown ? `/orders?userIds=${ids.join(',')}&limit=1000` : '/orders?limit=1000';
    return this.#read(this.#upstreams.orders, path, noOrders, asker);
  }

  #read<T>(upstream: Upstream, path: string, empty: T, asker: Asker): Promise<Answer<T>> {
    const { service } = upstream;
    const call = { service, path, trace: asker.trace, ...(asker.signal && { signal: asker.signal }) };
    return upstream.read(path, () => this.#client.json<T>(call), empty);
  }
}

function combine(users: Answer<UserList>, orders: Answer<OrderList>): Combined {
  const byUser = Map.groupBy(orders.data.orders, ({ userId }) => userId);
  const people = users.source === 'fallback' ? [...byUser.keys()].map(unknownUser) : users.data.users;
  return {
    users: people.map((user) => ({ ...user, orders: byUser.get(user.id) ?? [] })),
    orderCount: orders.data.meta?.total ?? orders.data.orders.length,
    parts: { users, orders },
  };
}

function unknownUser(id: number): User {
  return { id, name: 'Unknown (service unavailable)', email: null, age: null };
}
