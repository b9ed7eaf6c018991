import { BodyLog } from './body-log.ts';
import type { Reader } from './reader.ts';
import { Seat, type Table } from './seat.ts';

/** What an {@link Audience} tells whoever speaks to it. */
export interface AudienceEvents {
  /** A reader left. */
  left(reason: Error): void;
  /** There is room again after {@link Audience.push} said that there is none. */
  room(): void;
}

const tooSlow = new Error('The client reads too slowly to share an answer that is not kept.');

/**
 * Everyone who reads one body, each at its own pace, from one log. While all of it is held nobody has to wait for anybody; once it is not
 * (`letGo`), more comes as fast as the first seat reads, and whoever falls more than `limitBytes` behind is let go.
 */
export class Audience implements Table {
  readonly #events: AudienceEvents;
  readonly #limitBytes: number;
  readonly #seats = new Set<Seat>();
  readonly #log = new BodyLog();
  #isHeld = true;
  #isPaused = false;

  constructor(limitBytes: number, events: AudienceEvents) {
    this.#limitBytes = limitBytes;
    this.#events = events;
  }

  get size(): number {
    return this.#seats.size;
  }

  /** Everything that came so far, unless it was let go. */
  get log(): BodyLog {
    return this.#log;
  }

  has(seat: Seat | undefined): seat is Seat {
    return seat !== undefined && this.#seats.has(seat);
  }

  /** All but this one. */
  others(seat: Seat | undefined): readonly Seat[] {
    return [...this.#seats].filter((one) => one !== seat);
  }

  seat(reader: Reader): Seat {
    const seat = new Seat(reader, this);
    this.#seats.add(seat);
    reader.follow(seat);
    return seat;
  }

  /** The reader of this seat is answered in another way. */
  dismiss(seat: Seat): void {
    this.#seats.delete(seat);
    seat.vacate();
  }

  /** Everyone; nobody is left then. */
  dissolve(): readonly Seat[] {
    const seats = [...this.#seats];
    this.#seats.clear();
    return seats;
  }

  /** Gives what comes to everyone who is ready; false when no more should come for now. */
  push(chunk: Buffer): boolean {
    this.#log.push(chunk);
    for (const seat of this.#seats) seat.pump(this.#log);
    return this.#hasRoom();
  }

  /** It is not held any more for those who may come. */
  letGo(): void {
    this.#isHeld = false;
  }

  leave(seat: Seat, reason: Error): void {
    this.#seats.delete(seat);
    this.#events.left(reason);
    this.#goOn();
  }

  resumed(seat: Seat): void {
    seat.pump(this.#log);
    this.#goOn();
  }

  #goOn(): void {
    if (this.#isPaused && this.#hasRoom()) this.#events.room();
  }

  #hasRoom(): boolean {
    if (this.#isHeld) return true;
    const [first] = this.#seats;
    for (const seat of this.#seats) {
      if (seat === first || this.#log.bytes - seat.sentBytes <= this.#limitBytes) continue;
      this.#seats.delete(seat);
      seat.fail(tooSlow);
    }
    this.#log.trim(Math.min(...[...this.#seats].map(({ at }) => at)));
    this.#isPaused = first?.isPaused === true;
    return !this.#isPaused;
  }
}
