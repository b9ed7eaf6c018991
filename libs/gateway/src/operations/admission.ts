import { platformTimers, type Clock, type Timers } from '@mesh/resilience';

/** How much a request matters when not all can be served; `low` is shed first. */
export type Priority = 'critical' | 'normal' | 'low';

/** Why a request was shed: no place in the queue, one that mattered more took its place, it waited too long, or the process is slow. */
export type ShedReason = 'queue-full' | 'displaced' | 'wait-too-long' | 'pressure';

/** Most important first; the place in this list is the number of the lane. */
export const priorities = ['critical', 'normal', 'low'] as const satisfies readonly Priority[];

/** What an {@link Admission} is made with; all of it checked. */
export interface AdmissionSettings {
  readonly maxInFlight: number;
  readonly maxQueue: number;
  readonly maxWaitMs: number;
  /** Share of `maxInFlight` up to which each priority is let in. */
  readonly shares: Readonly<Record<Priority, number>>;
  /** How slow the process is: 0 not, 1 low requests are shed, 2 normal ones as well. */
  readonly pressure: () => number;
  readonly clock: Clock;
  readonly timers?: Timers;
}

/** One request that was not turned away at once. */
export class Ticket {
  readonly lane: number;
  /** When its wait has been too long. */
  readonly deadline: number;
  state: 'waiting' | 'inside' | 'over' = 'waiting';
  /** Whose it is; for who counts by client. */
  client: string | undefined = undefined;
  /** Hears the end of a wait: the reason when it is shed, `undefined` when it is let in. */
  onDecision: ((reason: ShedReason | undefined) => void) | undefined = undefined;

  constructor(lane: number, deadline: number) {
    this.lane = lane;
    this.deadline = deadline;
  }
}

/**
 * Who is let in, who waits and who is shed.
 *
 *   ask ──room──▶ inside ──leave──▶ over
 *    │ └─queue──▶ waiting ──room──▶ inside
 *    │               └──late, displaced, gone──▶ over
 *    └──no place, or the process is slow──▶ a reason
 *
 * A slot that becomes free goes to the most important that waits, in the same step. So nobody waits while there is room for it, and
 * a newcomer that finds room overtakes nobody of its own priority.
 */
export class Admission {
  readonly #settings: AdmissionSettings;
  readonly #timers: Timers;
  /** Most requests in flight at which each lane is still let in. */
  readonly #limits: readonly number[];
  readonly #lanes: readonly Set<Ticket>[] = priorities.map(() => new Set());
  readonly #shed = priorities.map(() => 0);
  #inFlight = 0;
  #queued = 0;
  #admitted = 0;
  #alarm: unknown;

  constructor(settings: AdmissionSettings) {
    this.#settings = settings;
    this.#timers = settings.timers ?? platformTimers;
    this.#limits = priorities.map((name) =>
      Math.max(1, Math.floor(settings.maxInFlight * settings.shares[name])),
    );
  }

  get inFlight(): number {
    return this.#inFlight;
  }

  get queued(): number {
    return this.#queued;
  }

  /** Requests that were let in so far, after a wait or without. */
  get admitted(): number {
    return this.#admitted;
  }

  /** Requests of a priority that were shed so far. */
  shed(priority: Priority): number {
    return this.#shed[priorities.indexOf(priority)] ?? 0;
  }

  /** Lets a request in, or has it wait, or tells why neither. Call {@link leave} with every ticket. */
  ask(lane: number): Ticket | ShedReason {
    // Pressure 1 closes the last lane, 2 the last two; the first is never closed.
    if (lane > 0 && this.#settings.pressure() >= priorities.length - lane)
      return this.#refuse(lane, 'pressure');
    if (this.#hasRoom(lane)) {
      const ticket = new Ticket(lane, Infinity);
      this.#letIn(ticket);
      return ticket;
    }
    if (this.#queued >= this.#settings.maxQueue && !this.#displace(lane))
      return this.#refuse(lane, 'queue-full');
    return this.#wait(lane);
  }

  /** The request is over: inside or still waiting. A second call does nothing. */
  leave(ticket: Ticket): void {
    if (ticket.state === 'waiting') {
      this.#dequeue(ticket);
    } else if (ticket.state === 'inside') {
      ticket.state = 'over';
      this.#inFlight--;
      if (this.#queued > 0) this.#serve();
    }
  }

  #hasRoom(lane: number): boolean {
    return this.#inFlight < (this.#limits[lane] ?? 0);
  }

  #letIn(ticket: Ticket): void {
    ticket.state = 'inside';
    this.#inFlight++;
    this.#admitted++;
  }

  #refuse(lane: number, reason: ShedReason): ShedReason {
    this.#shed[lane] = (this.#shed[lane] ?? 0) + 1;
    return reason;
  }

  #wait(lane: number): Ticket {
    const { clock, maxWaitMs } = this.#settings;
    const ticket = new Ticket(lane, clock.now() + maxWaitMs);
    this.#lanes[lane]?.add(ticket);
    this.#queued++;
    this.#alarm ??= this.#timers.set(this.#onAlarm, maxWaitMs);
    return ticket;
  }

  #dequeue(ticket: Ticket): void {
    ticket.state = 'over';
    this.#lanes[ticket.lane]?.delete(ticket);
    this.#queued--;
    if (this.#queued > 0 || this.#alarm === undefined) return;
    this.#timers.clear(this.#alarm);
    this.#alarm = undefined;
  }

  #send(ticket: Ticket, reason: ShedReason): void {
    this.#dequeue(ticket);
    ticket.onDecision?.(this.#refuse(ticket.lane, reason));
  }

  /** Makes a place in the full queue: the oldest of the least important gives way, for it is the next to be late anyway. */
  #displace(lane: number): boolean {
    for (let lower = priorities.length - 1; lower > lane; lower--) {
      const oldest = this.#first(lower);
      if (oldest === undefined) continue;
      this.#send(oldest, 'displaced');
      return true;
    }
    return false;
  }

  #serve(): void {
    for (let lane = 0; lane < priorities.length; lane++) {
      for (let next = this.#first(lane); next !== undefined; next = this.#first(lane)) {
        // Those below have even less room.
        if (!this.#hasRoom(lane)) return;
        this.#dequeue(next);
        this.#letIn(next);
        next.onDecision?.(undefined);
      }
    }
  }

  #first(lane: number): Ticket | undefined {
    return this.#lanes[lane]?.values().next().value;
  }

  /** All wait equally long, so the first of each lane is the first to be late. */
  readonly #onAlarm = (): void => {
    this.#alarm = undefined;
    const now = this.#settings.clock.now();
    let next = Infinity;
    for (let lane = 0; lane < priorities.length; lane++) {
      let first = this.#first(lane);
      for (; first !== undefined && first.deadline <= now; first = this.#first(lane))
        this.#send(first, 'wait-too-long');
      next = Math.min(next, first?.deadline ?? Infinity);
    }
    if (next < Infinity) this.#alarm ??= this.#timers.set(this.#onAlarm, Math.max(1, Math.ceil(next - now)));
  };
}
