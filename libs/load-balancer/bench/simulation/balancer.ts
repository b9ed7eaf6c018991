import type { Random } from './random.ts';

/** How a request ended, as far as its client could see. */
export type Outcome = 'success' | 'failure' | 'timeout';

/** A request on its way to a server. */
export interface Ticket {
  readonly server: number;
  done(nowMs: number, outcome: Outcome, latencyMs: number): void;
}

/** What the simulator asks of a balancer; each client has one of its own. */
export interface Balancer {
  /** From now on there are the servers 0 to count - 1. */
  update(count: number, nowMs: number): void;
  pick(nowMs: number): Ticket | undefined;
}

/** A way to balance, by the name that the tables show. */
export interface Contender {
  readonly name: string;
  create(random: Random): Balancer;
}
