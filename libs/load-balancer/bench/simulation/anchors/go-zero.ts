import type { Balancer, Contender, Outcome, Ticket } from '../balancer.ts';
import type { Random } from '../random.ts';
import { twoChoices } from '../two-choices.ts';

const memoryMs = 10_000;
const forceAfterMs = 1_000;
const fullSuccess = 1_000;
const healthyAbove = fullSuccess / 2;
const mostDraws = 3;
const unknownLoad = 2 ** 31 - 1;
const nanosecondsPerMs = 1e6;

class Connection {
  lagNs = 0;
  success = fullSuccess;
  open = 0;
  lastMs = 0;
  pickMs = 0;

  /** sqrt(lag + 1)·(open + 1), lag in nanoseconds. */
  get load(): number {
    return Math.sqrt(this.lagNs + 1) * (this.open + 1) || unknownLoad;
  }

  ended(nowMs: number, outcome: Outcome, latencyMs: number): void {
    this.open--;
    const keep = Math.exp(-(nowMs - this.lastMs) / memoryMs);
    this.lastMs = nowMs;
    this.lagNs =
      this.lagNs === 0
        ? latencyMs * nanosecondsPerMs
        : this.lagNs * keep + latencyMs * nanosecondsPerMs * (1 - keep);
    this.success = this.success * keep + (outcome === 'success' ? fullSuccess : 0) * (1 - keep);
  }
}

class GoZeroBalancer implements Balancer {
  readonly #random: Random;
  readonly #connections: Connection[] = [];

  constructor(random: Random) {
    this.#random = random;
  }

  update(count: number): void {
    while (this.#connections.length < count) this.#connections.push(new Connection());
  }

  pick(nowMs: number): Ticket {
    const server = this.#choose(nowMs);
    const connection = this.#connections[server] ?? new Connection();
    connection.open++;
    connection.pickMs = nowMs;
    return {
      server,
      done: (...end) => {
        connection.ended(...end);
      },
    };
  }

  #choose(nowMs: number): number {
    let pair = twoChoices(this.#random, this.#connections.length);
    for (let draw = 1; draw < mostDraws && !pair.every((at) => this.#at(at).success > healthyAbove); draw++)
      pair = twoChoices(this.#random, this.#connections.length);
    const [a, b] = pair;
    const [better, other] = this.#at(a).load <= this.#at(b).load ? [a, b] : [b, a];
    return nowMs - this.#at(other).pickMs > forceAfterMs ? other : better;
  }

  #at(server: number): Connection {
    return this.#connections[server] ?? new Connection();
  }
}

/** go-zero `p2c_ewma`: the better of two healthy ones by average latency and open requests; who was not picked for 1 s is. */
export const goZero: Contender = {
  name: 'P2C EWMA (go-zero)',
  create: (random) => new GoZeroBalancer(random),
};
