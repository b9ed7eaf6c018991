import type { Outcome } from './balancer.ts';
import type { Setting } from './fault.ts';
import { Histogram } from './histogram.ts';

/** What a run came to. Errors and latencies are those of requests that began during the fault. */
export interface Figures {
  readonly requests: number;
  readonly errorRatio: number;
  /** From the end of the fault until the server gets 80 % of its fair share; Infinity when it did not in the run. */
  readonly regainMs: number;
  /** Of requests that were answered well or timed out, not of refusals. */
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly p999Ms: number;
}

const fairPart = 0.8;
const windowMs = 500;
/** A share of fewer expected requests than this says nothing. */
const fewestFair = 25;
const binsPerWindow = 5;

/** Watches a run and sums it up. */
export class Measure {
  readonly #setting: Setting;
  readonly #latency = new Histogram();
  readonly #binMs: number;
  #requests = 0;
  #errors = 0;
  #binEndMs: number;
  readonly #all: number[] = [0];
  readonly #watched: number[] = [0];

  constructor(setting: Setting) {
    this.#setting = setting;
    const fairPerMs = (setting.loadRatio * setting.slots) / setting.serviceMs;
    this.#binMs = Math.max(windowMs, fewestFair / fairPerMs) / binsPerWindow;
    this.#binEndMs = setting.faultMs + this.#binMs;
  }

  /** A request goes to a server. Times count from the beginning of the fault. */
  sent(sinceMs: number, server: number): void {
    if (sinceMs < this.#setting.faultMs) return;
    while (sinceMs >= this.#binEndMs) {
      this.#binEndMs += this.#binMs;
      this.#all.push(0);
      this.#watched.push(0);
    }
    const bin = this.#all.length - 1;
    this.#all[bin] = (this.#all[bin] ?? 0) + 1;
    if (server === this.#setting.servers - 1) this.#watched[bin] = (this.#watched[bin] ?? 0) + 1;
  }

  ended(sinceMs: number, outcome: Outcome, latencyMs: number): void {
    if (sinceMs < 0 || sinceMs >= this.#setting.faultMs) return;
    this.#requests++;
    if (outcome !== 'success') this.#errors++;
    if (outcome !== 'failure') this.#latency.record(latencyMs);
  }

  /** From the end of the fault to the first window with a fair share; the last, unfinished bin does not count. */
  get regainMs(): number {
    for (let bin = 0; bin + binsPerWindow < this.#all.length; bin++) {
      const all = sum(this.#all.slice(bin, bin + binsPerWindow));
      const watched = sum(this.#watched.slice(bin, bin + binsPerWindow));
      if (watched * this.#setting.servers >= fairPart * all) return bin * this.#binMs;
    }
    return Infinity;
  }

  get figures(): Figures {
    return {
      requests: this.#requests,
      errorRatio: this.#errors / this.#requests,
      regainMs: this.regainMs,
      p50Ms: this.#latency.quantile(0.5),
      p99Ms: this.#latency.quantile(0.99),
      p999Ms: this.#latency.quantile(0.999),
    };
  }
}

const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0);
