import type { Balancer, Contender, Outcome, Ticket } from '../balancer.ts';
import type { Random } from '../random.ts';
import { twoChoices } from '../two-choices.ts';

/** What a balancer of the "better of two" kind knows of one server. */
export interface Gauge {
  /** The lower, the better. Called with open requests counted without the one to be placed. */
  load(nowMs: number): number;
  started?(nowMs: number): void;
  ended(nowMs: number, outcome: Outcome, latencyMs: number): void;
}

/** Power of two choices over a gauge for each server; the first drawn wins ties, which is at random. */
export function twoChoicesContender(name: string, gauge: () => Gauge): Contender {
  return { name, create: (random) => new TwoChoicesBalancer(random, gauge) };
}

class TwoChoicesBalancer implements Balancer {
  readonly #random: Random;
  readonly #gauge: () => Gauge;
  readonly #gauges: Gauge[] = [];

  constructor(random: Random, gauge: () => Gauge) {
    this.#random = random;
    this.#gauge = gauge;
  }

  update(count: number): void {
    while (this.#gauges.length < count) this.#gauges.push(this.#gauge());
  }

  pick(nowMs: number): Ticket {
    const [a, b] = twoChoices(this.#random, this.#gauges.length);
    const server = this.#load(a, nowMs) <= this.#load(b, nowMs) ? a : b;
    const gauge = this.#gauges[server];
    gauge?.started?.(nowMs);
    return { server, done: (endMs, outcome, latencyMs) => gauge?.ended(endMs, outcome, latencyMs) };
  }

  #load(server: number, nowMs: number): number {
    return this.#gauges[server]?.load(nowMs) ?? Infinity;
  }
}
