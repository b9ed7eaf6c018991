import type { Balancer, Contender, Outcome, Ticket } from '../balancer.ts';
import type { Random } from '../random.ts';
import { twoChoices } from '../two-choices.ts';

const memoryMs = 600;
const forceAfterMs = 3_000;
const leastLagMs = 5;
/** In the root of milliseconds: 100 microseconds where the root of a lag in nanoseconds stands. */
const unknownLag = 100;
const nanosecondsPerMs = 1e6;

class KratosNode {
  readonly #starts = new Set<{ readonly startMs: number }>();
  #lagMs = 0;
  #success = 1;
  #stampMs = 0;
  #predictMs = 0;
  #predictedAtMs = -Infinity;
  pickMs = 0;

  /** success / (sqrt(lag + 5 ms)·open), open counted from 1; lag is that of the open requests when most of them are late. */
  weight(nowMs: number): number {
    const open = this.#starts.size + 1;
    if (this.#lagMs === 0) return this.#success / (unknownLag * 1e3 * open);
    const lagMs = Math.max(this.#lagMs, this.#predict(nowMs)) + leastLagMs;
    return this.#success / (Math.sqrt(lagMs * nanosecondsPerMs) * open);
  }

  start(nowMs: number): Ticket['done'] {
    const open = { startMs: nowMs };
    this.#starts.add(open);
    this.pickMs = nowMs;
    return (endMs, outcome, latencyMs) => {
      this.#starts.delete(open);
      this.#ended(endMs, outcome, latencyMs);
    };
  }

  #predict(nowMs: number): number {
    if (nowMs - this.#predictedAtMs < this.#lagMs) return this.#predictMs;
    this.#predictedAtMs = nowMs;
    let late = 0;
    let totalMs = 0;
    for (const { startMs } of this.#starts) {
      if (nowMs - startMs <= this.#lagMs) continue;
      late++;
      totalMs += nowMs - startMs;
    }
    this.#predictMs = late > this.#starts.size / 2 ? totalMs / late : 0;
    return this.#predictMs;
  }

  #ended(nowMs: number, outcome: Outcome, latencyMs: number): void {
    const keep = Math.exp(-Math.max(0, nowMs - this.#stampMs) / memoryMs);
    this.#stampMs = nowMs;
    this.#lagMs = this.#lagMs === 0 ? latencyMs : this.#lagMs * keep + latencyMs * (1 - keep);
    this.#success = this.#success * keep + (outcome === 'success' ? 1 - keep : 0);
  }
}

class KratosBalancer implements Balancer {
  readonly #random: Random;
  readonly #nodes: KratosNode[] = [];

  constructor(random: Random) {
    this.#random = random;
  }

  update(count: number): void {
    while (this.#nodes.length < count) this.#nodes.push(new KratosNode());
  }

  pick(nowMs: number): Ticket {
    const [a, b] = twoChoices(this.#random, this.#nodes.length);
    const [better, other] = this.#at(a).weight(nowMs) >= this.#at(b).weight(nowMs) ? [a, b] : [b, a];
    const server = nowMs - this.#at(other).pickMs > forceAfterMs ? other : better;
    return { server, done: this.#at(server).start(nowMs) };
  }

  #at(server: number): KratosNode {
    return this.#nodes[server] ?? new KratosNode();
  }
}

/** kratos `p2c` with its EWMA node: a short memory, success and the age of open requests; who was not picked for 3 s is. */
export const kratos: Contender = {
  name: 'P2C EWMA (kratos)',
  create: (random) => new KratosBalancer(random),
};
