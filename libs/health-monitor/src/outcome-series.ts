/** Spans over which outcomes and availability are kept. */
export type Window = '1m' | '5m' | '1h' | '24h' | '30d';

/** What happened in a span of time. */
export interface Outcomes {
  /** Start, in milliseconds since 1970. */
  readonly from: number;
  /** End, in milliseconds since 1970. */
  readonly to: number;
  /** Up time by known time, 0 to 1; undefined when nothing is known. */
  readonly availability: number | undefined;
  /** Milliseconds in which the state was known. */
  readonly knownMs: number;
  readonly count: number;
  readonly errors: number;
  /** Errors by samples, 0 to 1; undefined without samples. */
  readonly errorRate: number | undefined;
  /** Samples in a second. */
  readonly throughput: number;
  /** Mean latency of the good samples in milliseconds; undefined without any. */
  readonly meanMs: number | undefined;
}

interface Ring {
  readonly slotMs: number;
  readonly slots: number;
  /** Its first slot among those of all rings. */
  readonly first: number;
}

let total = 0;

function ring(slotMs: number, slots: number): Ring {
  const first = total;
  // One more than the window has: the one that is being filled.
  total += slots + 1;
  return { slotMs, slots, first };
}

const rings: Readonly<Record<Window, Ring>> = {
  '1m': ring(10_000, 6),
  '5m': ring(30_000, 10),
  '1h': ring(300_000, 12),
  '24h': ring(3_600_000, 24),
  '30d': ring(86_400_000, 30),
};
const all = Object.values(rings);
/** All slots begin when one of the finest does. */
const finestMs = 10_000;

/** The slots of the present, one for each ring: the same for all series, so they are worked out once. */
const present = { finest: NaN, slots: new Uint8Array(all.length) };

function slotsAt(at: number): Uint8Array {
  const finest = Math.floor(at / finestMs);
  if (finest !== present.finest) {
    present.finest = finest;
    all.forEach((ring, index) => (present.slots[index] = slotAt(ring, at)));
  }
  return present.slots;
}

const known = 0;
const up = 1;
const samples = 2;
const errors = 3;
const fields = 4;

const noCounts = new Uint32Array(0);
const noLatency = new Float64Array(0);

/** Whether a span counts as up; undefined: nobody knows, and it is left out. */
export type Availability = boolean | undefined;

/**
 * Availability, errors, throughput and mean latency of one target over five windows, in 2 kB whatever the traffic, and in nothing before the first. A window is made of slots: it
 * covers at least its span and at most one slot more. Availability is weighted by time, and time in which nobody knew the state is left out.
 */
export class OutcomeSeries {
  /** Without length until there is something to keep: then every slot of theirs reads as 0. */
  #counts = noCounts;
  #latency = noLatency;
  readonly #startedAt: number;
  #advancedTo: number;
  /** Whole milliseconds, so that sums are exact. */
  #accountedTo: number;
  #state: Availability;
  #knownUntil = 0;

  constructor(now: number) {
    this.#startedAt = this.#advancedTo = this.#accountedTo = Math.floor(now);
  }

  get bytes(): number {
    return this.#counts.byteLength + this.#latency.byteLength;
  }

  /** From now on the target is so; when no word comes for `validMs`, nobody knows any more. */
  state(now: number, state: Availability, validMs: number): void {
    this.#account(now);
    this.#state = state;
    this.#knownUntil = Math.floor(now + validMs);
  }

  /** One call or check. */
  sample(now: number, ok: boolean, latencyMs = 0): void {
    this.#advance(now);
    this.#hold();
    for (const slot of slotsAt(this.#advancedTo)) {
      add(this.#counts, slot * fields + samples, 1);
      if (ok) add(this.#latency, slot, latencyMs);
      else add(this.#counts, slot * fields + errors, 1);
    }
  }

  window(window: Window, now: number): Outcomes {
    return this.over(rings[window].slotMs * rings[window].slots, now);
  }

  /** Any span up to 30 days, from the finest ring that covers it. */
  over(spanMs: number, now: number): Outcomes {
    this.#account(now);
    const ring = all.find(({ slotMs, slots }) => slotMs * slots >= spanMs) ?? rings['30d'];
    const current = Math.floor(this.#advancedTo / ring.slotMs);
    return this.#sum(ring, current - Math.min(ring.slots, Math.ceil(spanMs / ring.slotMs)), current);
  }

  /** The slots of a window, oldest first; the last one is not over yet. */
  history(window: Window, now: number): Outcomes[] {
    this.#account(now);
    const ring = rings[window];
    const current = Math.floor(this.#advancedTo / ring.slotMs);
    return Array.from({ length: ring.slots + 1 }, (_, index) => {
      const slot = current - ring.slots + index;
      return this.#sum(ring, slot, slot);
    });
  }

  #sum(ring: Ring, firstSlot: number, lastSlot: number): Outcomes {
    const sums = new Float64Array(fields);
    let latency = 0;
    for (let slot = firstSlot; slot <= lastSlot; slot++) {
      const at = slotAt(ring, slot * ring.slotMs);
      for (let field = 0; field < fields; field++) add(sums, field, this.#counts[at * fields + field] ?? 0);
      latency += this.#latency[at] ?? 0;
    }
    const from = Math.max(this.#startedAt, firstSlot * ring.slotMs);
    const to = Math.max(from, Math.min(this.#advancedTo, (lastSlot + 1) * ring.slotMs));
    return outcomes(from, to, sums, latency);
  }

  /** Credits the time since the last look to the state that it was in. */
  #account(now: number): void {
    this.#advance(now);
    const to = this.#advancedTo;
    if (this.#state !== undefined) this.#credit(this.#accountedTo, Math.min(to, this.#knownUntil));
    this.#accountedTo = to;
  }

  #hold(): void {
    if (this.#counts.length > 0) return;
    this.#counts = new Uint32Array(total * fields);
    this.#latency = new Float64Array(total);
  }

  #credit(from: number, to: number): void {
    if (to <= from) return;
    this.#hold();
    if (Math.floor(from / finestMs) === Math.floor(this.#advancedTo / finestMs)) {
      for (const slot of slotsAt(from)) this.#creditSlot(slot, to - from);
      return;
    }
    for (const ring of all) {
      // What is older than the ring is of no use to it.
      const oldest = (Math.floor(this.#advancedTo / ring.slotMs) - ring.slots) * ring.slotMs;
      for (let at = Math.max(from, oldest); at < to;) {
        const end = Math.min(to, (Math.floor(at / ring.slotMs) + 1) * ring.slotMs);
        this.#creditSlot(slotAt(ring, at), end - at);
        at = end;
      }
    }
  }

  #creditSlot(slot: number, ms: number): void {
    if (ms <= 0) return;
    add(this.#counts, slot * fields + known, ms);
    if (this.#state === true) add(this.#counts, slot * fields + up, ms);
  }

  /** Empties the slots that time has come to. */
  #advance(now: number): void {
    const to = Math.floor(now);
    if (to <= this.#advancedTo) return;
    if (this.#counts.length > 0 && Math.floor(to / finestMs) > Math.floor(this.#advancedTo / finestMs)) {
      this.#empty(to);
    }
    this.#advancedTo = to;
  }

  #empty(to: number): void {
    for (const ring of all) {
      const from = Math.floor(this.#advancedTo / ring.slotMs);
      const until = Math.floor(to / ring.slotMs);
      for (let slot = Math.max(from + 1, until - ring.slots); slot <= until; slot++) {
        const at = slotAt(ring, slot * ring.slotMs);
        this.#counts.fill(0, at * fields, (at + 1) * fields);
        this.#latency[at] = 0;
      }
    }
  }
}

function slotAt(ring: Ring, at: number): number {
  const size = ring.slots + 1;
  return ring.first + (((Math.floor(at / ring.slotMs) % size) + size) % size);
}

function add(numbers: Uint32Array | Float64Array, at: number, by: number): void {
  numbers[at] = (numbers[at] ?? 0) + by;
}

function outcomes(from: number, to: number, sums: Float64Array, latencySum: number): Outcomes {
  const [knownMs = 0, upMs = 0, count = 0, failed = 0] = sums;
  return {
    from,
    to,
    availability: knownMs > 0 ? upMs / knownMs : undefined,
    knownMs,
    count,
    errors: failed,
    errorRate: count > 0 ? failed / count : undefined,
    throughput: to > from ? (count * 1000) / (to - from) : 0,
    meanMs: count > failed ? latencySum / (count - failed) : undefined,
  };
}
