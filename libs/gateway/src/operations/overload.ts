import { HttpProblem } from '@mesh/problem';
import type { Clock, Timers } from '@mesh/resilience';
import type { Passage, Refusal, Stage } from '../passage.ts';
import { Admission, priorities, Ticket, type Priority, type ShedReason } from './admission.ts';
import { between, wholeNumber } from '../range.ts';

/** Bounds of an {@link Overload}. */
export interface OverloadOptions {
  /** Most requests in flight, an answer that is still streamed included. Default 1000. */
  readonly maxInFlight?: number;
  /** Most requests that wait for a slot; 0: nobody waits. Default `maxInFlight`. */
  readonly maxQueue?: number;
  /** Longest wait for a slot in ms, at least 1. Default 1000. */
  readonly maxWaitMs?: number;
  /**
   * Share of `maxInFlight` up to which requests of a priority are let in, 0..1; the rest is reserved for those above.
   * Default `{ critical: 1, normal: 0.9, low: 0.7 }`.
   */
  readonly shares?: Partial<Readonly<Record<Priority, number>>>;
  /**
   * Most requests of one client in flight or waiting; beyond it 429. A client is an address: behind a proxy that is not trusted, all are
   * one. Default Infinity.
   */
  readonly maxPerClient?: number;
  /** When a client that was shed may ask again, in ms. Default 1000. */
  readonly retryAfterMs?: number;
  /** How slow the process is: at 1 low requests are shed, at 2 normal ones too. Default: always 0. See {@link LoopDelay}. */
  readonly pressure?: () => number;
  /** Default `performance`. */
  readonly clock?: Clock;
  /** Default the platform's. */
  readonly timers?: Timers;
}

/** The state of an {@link Overload}, for `/health` and `/metrics`. */
export interface OverloadSnapshot {
  readonly maxInFlight: number;
  readonly inFlight: number;
  readonly queued: number;
  /** Requests let in so far. */
  readonly admitted: number;
  /** Requests shed so far, by priority. */
  readonly shed: Readonly<Record<Priority, number>>;
  /** Requests refused so far because their client had too many. */
  readonly refusedClients: number;
  readonly pressure: number;
}

const detailOf: Readonly<Record<ShedReason, string>> = {
  'queue-full': 'The gateway has as much to do as it can; nothing of the request was done.',
  displaced: 'The gateway has more important things to do; nothing of the request was done.',
  'wait-too-long': 'The gateway could not begin with the request in time; nothing of it was done.',
  pressure: 'The gateway is slow at the moment; nothing of the request was done.',
};

/**
 * Keeps a gateway from taking on more than it can finish: what is too much is answered at once with 503 `ERR_OVERLOADED` and
 * `Retry-After`, the least important first. One object for all routes; each takes a stage for its priority.
 *
 * @throws RangeError when an option is out of range.
 * @example
 * const overload = new Overload({ maxInFlight: 500 });
 * const stages = [overload.stage('critical'), authentication(jwt)];
 */
export class Overload {
  readonly #admission: Admission;
  readonly #maxInFlight: number;
  readonly #maxPerClient: number;
  readonly #pressure: () => number;
  readonly #tooMany: HttpProblem;
  readonly #problems: Readonly<Record<ShedReason, HttpProblem>>;
  /** Requests of each client. Holds those alone that have one, so it is as large as what is in flight and waits. */
  readonly #clients = new Map<string, number>();
  #refusedClients = 0;

  constructor(options: OverloadOptions = {}) {
    const { maxInFlight = 1000, maxWaitMs = 1000, maxPerClient = Infinity, retryAfterMs = 1000 } = options;
    const { maxQueue = maxInFlight, pressure = () => 0, clock = performance, timers } = options;
    this.#maxInFlight = wholeNumber('overload: maxInFlight', maxInFlight, 1);
    this.#maxPerClient =
      maxPerClient === Infinity ? Infinity : wholeNumber('overload: maxPerClient', maxPerClient, 1);
    this.#pressure = pressure;
    this.#admission = new Admission({
      maxInFlight,
      maxQueue: wholeNumber('overload: maxQueue', maxQueue, 0),
      maxWaitMs: between('overload: maxWaitMs', maxWaitMs, 1, 2 ** 31 - 1),
      shares: readShares(options.shares),
      pressure,
      clock,
      ...(timers && { timers }),
    });
    const wait = { retryAfterMs: between('overload: retryAfterMs', retryAfterMs, 0, 86_400_000) };
    // Made once: to refuse must cost less than to serve, and a stack trace is most of what an error costs.
    const problem = (reason: ShedReason): HttpProblem =>
      new HttpProblem('ERR_OVERLOADED', detailOf[reason], wait);
    this.#problems = {
      'queue-full': problem('queue-full'),
      displaced: problem('displaced'),
      'wait-too-long': problem('wait-too-long'),
      pressure: problem('pressure'),
    };
    this.#tooMany = new HttpProblem('ERR_RATE_LIMITED', 'This client has too many requests under way.', wait);
  }

  /** The stage of a route. It answers at once unless the request has to wait; the slot is free when the passage is over. */
  stage(priority: Priority): Stage {
    const lane = priorities.indexOf(priority);
    if (lane < 0)
      throw new RangeError(`overload: priority must be ${priorities.join(', ')}, got ${priority}`);
    return (passage) => this.#enter(lane, passage);
  }

  /** Frozen plain data. */
  getSnapshot(): OverloadSnapshot {
    const admission = this.#admission;
    return Object.freeze({
      maxInFlight: this.#maxInFlight,
      inFlight: admission.inFlight,
      queued: admission.queued,
      admitted: admission.admitted,
      shed: Object.freeze({
        critical: admission.shed('critical'),
        normal: admission.shed('normal'),
        low: admission.shed('low'),
      }),
      refusedClients: this.#refusedClients,
      pressure: this.#pressure(),
    });
  }

  #enter(lane: number, passage: Passage): Refusal | undefined | Promise<Refusal | undefined> {
    const client = this.#maxPerClient < Infinity ? passage.clientAddress : undefined;
    if (client !== undefined && (this.#clients.get(client) ?? 0) >= this.#maxPerClient) {
      this.#refusedClients++;
      return this.#tooMany;
    }
    const ticket = this.#admission.ask(lane);
    if (!(ticket instanceof Ticket)) return this.#problems[ticket];
    if (client !== undefined) this.#count(ticket, client);
    const decision = ticket.state === 'waiting' ? this.#decision(ticket) : undefined;
    passage.onEnd(() => {
      // Its client left while it waited: nobody reads the answer, and nothing may go on to an instance.
      if (ticket.state === 'waiting') ticket.onDecision?.('wait-too-long');
      this.#admission.leave(ticket);
      this.#uncount(ticket);
    });
    return decision;
  }

  #decision(ticket: Ticket): Promise<Refusal | undefined> {
    return new Promise((resolve) => {
      ticket.onDecision = (reason) => {
        if (reason !== undefined) this.#uncount(ticket);
        resolve(reason && this.#problems[reason]);
      };
    });
  }

  #count(ticket: Ticket, client: string): void {
    ticket.client = client;
    this.#clients.set(client, (this.#clients.get(client) ?? 0) + 1);
  }

  #uncount(ticket: Ticket): void {
    const { client } = ticket;
    if (client === undefined) return;
    ticket.client = undefined;
    const count = (this.#clients.get(client) ?? 0) - 1;
    if (count > 0) this.#clients.set(client, count);
    else this.#clients.delete(client);
  }
}

function readShares(given: OverloadOptions['shares'] = {}): Record<Priority, number> {
  const { critical = 1, normal = Math.min(0.9, critical), low = Math.min(0.7, normal) } = given;
  return {
    critical: between('overload: shares.critical', critical, 0, 1),
    normal: between('overload: shares.normal', normal, 0, critical),
    low: between('overload: shares.low', low, 0, normal),
  };
}
