const hourMs = 3_600_000;

const noSums = new Float32Array(0);
const noCounts = new Uint8Array(0);

/** Bins of an hour each, with a straight line between their middles. */
class HourBins {
  readonly #hours: number;
  /** Without length until the first hour is over: then every bin of theirs reads as 0. */
  #sums = noSums;
  #counts = noCounts;
  /** What one hour has brought so far, until it is over. */
  #hour = -1;
  #sum = 0;
  #count = 0;

  constructor(hours: number) {
    this.#hours = hours;
  }

  get bytes(): number {
    return this.#sums.byteLength + this.#counts.byteLength;
  }

  at(now: number): number {
    const hours = now / hourMs - 0.5;
    const before = Math.floor(hours);
    const part = hours - before;
    return this.#bin(before) * (1 - part) + this.#bin(before + 1) * part;
  }

  learn(now: number, residual: number): void {
    const hour = Math.floor(now / hourMs);
    if (hour !== this.#hour) {
      this.#close();
      this.#hour = hour;
    }
    this.#sum += residual;
    this.#count++;
  }

  /** An hour of which a third was seen moves its bin: all the way the first time, then a half, a third, at last a quarter. */
  #close(): void {
    const bin = this.#place(this.#hour);
    if (this.#hour >= 0 && this.#count >= 12) {
      this.#hold();
      const visits = Math.min(4, (this.#counts[bin] ?? 0) + 1);
      this.#counts[bin] = visits;
      this.#sums[bin] = (this.#sums[bin] ?? 0) + this.#sum / this.#count / visits;
    }
    this.#sum = this.#count = 0;
  }

  #hold(): void {
    if (this.#sums.length > 0) return;
    this.#sums = new Float32Array(this.#hours);
    this.#counts = new Uint8Array(this.#hours);
  }

  #bin(hour: number): number {
    return this.#sums[this.#place(hour)] ?? 0;
  }

  #place(hour: number): number {
    return ((hour % this.#hours) + this.#hours) % this.#hours;
  }
}

/** What a value usually is at this hour of the day and of the week, above or below its mean. */
export class Season {
  readonly #day = new HourBins(24);
  readonly #week = new HourBins(168);

  get bytes(): number {
    return this.#day.bytes + this.#week.bytes;
  }

  at(now: number): number {
    return this.#day.at(now) + this.#week.at(now);
  }

  /** What was above or below all that is known so far. */
  learn(now: number, residual: number): void {
    this.#day.learn(now, residual);
    this.#week.learn(now, residual);
  }
}
