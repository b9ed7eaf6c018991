import { LoadBalancer } from '../../src/load-balancer.ts';
import type { EjectionOptions } from '../../src/ejection.ts';
import type { StrategyName } from '../../src/strategies.ts';
import type { Balancer, Contender, Ticket } from './balancer.ts';
import type { Random } from './random.ts';

interface Server {
  readonly id: string;
  readonly at: number;
}

/** Our balancer as a whole, driven by the clock of the simulation. */
class Ours implements Balancer {
  readonly #balancer: LoadBalancer<Server>;
  #nowMs = 0;

  constructor(strategy: StrategyName, random: Random, ejection: EjectionOptions | undefined) {
    const clock = { now: () => this.#nowMs };
    this.#balancer = new LoadBalancer({ strategy, random, clock, ...(ejection && { ejection }) });
  }

  update(count: number, nowMs: number): void {
    this.#nowMs = nowMs;
    this.#balancer.update(Array.from({ length: count }, (_, at) => ({ id: `server-${at}`, at })));
  }

  pick(nowMs: number): Ticket | undefined {
    this.#nowMs = nowMs;
    const lease = this.#balancer.pick();
    if (!lease) return undefined;
    return {
      server: lease.endpoint.at,
      done: (endMs, outcome, latencyMs) => {
        this.#nowMs = endMs;
        lease.done({ outcome: outcome === 'success' ? 'success' : 'failure', latencyMs });
      },
    };
  }
}

/** One of our strategies under the name that the tables show. */
export function ours(name: string, strategy: StrategyName, ejection?: EjectionOptions): Contender {
  return { name, create: (random) => new Ours(strategy, random, ejection) };
}

export const adaptive = ours('adaptive', 'adaptive');

/** Out at the first failure, for 10 s: at most a tenth of the servers, so that noise costs little room. */
export const adaptiveEjecting = ours('adaptive + ejection at once', 'adaptive', {
  consecutiveFailures: 1,
  baseMs: 10_000,
});

/** Out at the second failure in a row, for 30 s. */
export const adaptivePatient = ours('adaptive + ejection at 2 in a row', 'adaptive', {
  consecutiveFailures: 2,
});
