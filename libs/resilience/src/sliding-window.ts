import { roundingMs, type Rate, type RateLaw } from './rate-law.ts';

/** Slots of a period: a permit counts for at least the whole period and at most a tenth longer. */
export const slotsOfPeriod = 10;

// A cell is the number of its newest slot, the sum of its slots, then the slots.
const sum = 1;
const slots = 2;
/** One more than fit in the period: the oldest counts until all of it has left the window. */
const ring = slotsOfPeriod + 1;

/**
 * A quota: never more than `limit` permits in any stretch of `periodMs`, wherever it begins. (The common counter of two
 * windows, which weighs the previous one, lets almost twice as much pass when that came at its end.) Counted in slots of a tenth
 * of the period, so a cell has 13 numbers whatever the limit.
 */
export class SlidingWindow implements RateLaw {
  readonly width = slots + ring;
  #limit: number;
  #slotMs: number;

  constructor({ limit, periodMs }: Rate) {
    this.#limit = limit;
    this.#slotMs = periodMs / slotsOfPeriod;
  }

  get capacity(): number {
    return this.#limit;
  }

  clear(cells: Float64Array, at: number): void {
    cells.fill(0, at, at + this.width);
    cells[at] = -Infinity;
  }

  waitMs(cells: Float64Array, at: number, weight: number, now: number): number {
    this.#roll(cells, at, this.#slotOf(now));
    const rounds = Math.ceil(weight / this.#limit) - 1;
    const rest = weight - rounds * this.#limit;
    const slot = this.#slotWithRoom(cells, at, rest);
    const wait = slot * this.#slotMs - now + rounds * ring * this.#slotMs;
    return wait < roundingMs ? 0 : wait;
  }

  take(cells: Float64Array, at: number, weight: number, now: number): void {
    this.#roll(cells, at, this.#slotOf(now));
    this.#add(cells, at, cells[at] ?? 0, weight);
  }

  giveBack(cells: Float64Array, at: number, weight: number, now: number): void {
    this.#roll(cells, at, this.#slotOf(now));
    const newest = cells[at] ?? 0;
    let left = weight;
    for (let slot = newest; left > 0 && slot > newest - ring; slot--) {
      const given = Math.min(left, this.#count(cells, at, slot));
      this.#add(cells, at, slot, -given);
      left -= given;
    }
  }

  pause(cells: Float64Array, at: number, ms: number, now: number): void {
    this.#roll(cells, at, this.#slotOf(now));
    this.#roll(cells, at, Math.ceil((now + ms) / this.#slotMs));
  }

  drain(cells: Float64Array, at: number, now: number): void {
    this.#roll(cells, at, this.#slotOf(now));
    this.#add(cells, at, cells[at] ?? 0, Math.max(0, this.#limit - (cells[at + sum] ?? 0)));
  }

  remaining(cells: Float64Array, at: number, now: number): number {
    this.#roll(cells, at, this.#slotOf(now));
    if ((cells[at] ?? 0) * this.#slotMs - now >= roundingMs) return 0;
    return Math.max(0, Math.floor(this.#limit - (cells[at + sum] ?? 0)));
  }

  resetMs(cells: Float64Array, at: number, now: number): number {
    this.#roll(cells, at, this.#slotOf(now));
    const newest = cells[at] ?? 0;
    let owed = newest;
    for (let slot = newest; slot > newest - ring; slot--) {
      if (this.#count(cells, at, slot) === 0) continue;
      owed = slot + ring;
      break;
    }
    return Math.max(0, owed * this.#slotMs - now);
  }

  /** With another period all that is counted moves to the newest slot: it may count longer, never shorter. */
  change(rate: Rate, cells: Float64Array, places: Iterable<number>, now: number): void {
    const slotMs = this.#slotMs;
    this.#limit = rate.limit;
    if (rate.periodMs / slotsOfPeriod === slotMs) return;
    this.#slotMs = rate.periodMs / slotsOfPeriod;
    for (const at of places) {
      const total = cells[at + sum] ?? 0;
      const opensAt = (cells[at] ?? 0) * slotMs;
      this.clear(cells, at);
      this.#roll(cells, at, opensAt > now ? Math.ceil(opensAt / this.#slotMs) : this.#slotOf(now));
      if (total > 0) this.#add(cells, at, cells[at] ?? 0, total);
    }
  }

  #slotOf(now: number): number {
    return Math.floor((now + roundingMs) / this.#slotMs);
  }

  /** The first slot in which `weight` more fit. */
  #slotWithRoom(cells: Float64Array, at: number, weight: number): number {
    const newest = cells[at] ?? 0;
    let excess = (cells[at + sum] ?? 0) + weight - this.#limit;
    if (excess <= 0) return newest;
    let slot = newest - ring;
    while (excess > 0 && slot < newest) excess -= this.#count(cells, at, ++slot);
    return slot + ring;
  }

  /** Steps on to a slot, emptying those that are entered; a slot in the past changes nothing. */
  #roll(cells: Float64Array, at: number, slot: number): void {
    const newest = cells[at] ?? 0;
    if (slot <= newest) return;
    cells[at] = slot;
    if ((cells[at + sum] ?? 0) === 0) return;
    for (let entered = Math.max(newest + 1, slot - ring + 1); entered <= slot; entered++)
      this.#add(cells, at, entered, -this.#count(cells, at, entered));
  }

  #count(cells: Float64Array, at: number, slot: number): number {
    return cells[at + slots + placeOf(slot)] ?? 0;
  }

  #add(cells: Float64Array, at: number, slot: number, weight: number): void {
    const index = at + slots + placeOf(slot);
    cells[index] = (cells[index] ?? 0) + weight;
    cells[at + sum] = (cells[at + sum] ?? 0) + weight;
  }
}

/** The remainder of slots that may be negative or beyond 32 bits; `%` of such numbers is slow. */
function placeOf(slot: number): number {
  return slot - ring * Math.floor(slot / ring);
}
