import type { CallReport } from './sample-route.ts';

/** One call that was made. */
export interface ObservedCall {
  readonly service: string;
  /** Id of the instance that was asked. */
  readonly instance: string;
  /** Whether it was answered without an error of the instance. */
  readonly ok: boolean;
  /** Milliseconds until the answer. */
  readonly latencyMs?: number;
}

const maxInstances = 1000;
const maxLatencies = 64;
/** As many as a report may hold. */
const maxCalls = 10_000;

type Tally = { -readonly [K in keyof CallReport]: CallReport[K] };

/** Calls counted up by instance: fixed memory for each, whatever the traffic. */
export class CallTally {
  #tallies = new Map<string, Tally>();
  readonly #random: () => number;

  constructor(random: () => number = Math.random) {
    this.#random = random;
  }

  add({ service, instance, ok, latencyMs }: ObservedCall): void {
    const key = `${service} ${instance}`;
    let tally = this.#tallies.get(key);
    if (tally === undefined) {
      if (this.#tallies.size >= maxInstances) return;
      this.#tallies.set(key, (tally = { service, instance, ok: 0, failed: 0, latenciesMs: [] }));
    }
    if (ok) tally.ok = Math.min(maxCalls, tally.ok + 1);
    else tally.failed = Math.min(maxCalls, tally.failed + 1);
    if (ok && latencyMs !== undefined) this.#keep(tally, latencyMs);
  }

  /** What was counted since the last time. */
  take(): CallReport[] {
    const reports = [...this.#tallies.values()];
    this.#tallies = new Map();
    return reports;
  }

  /** Reservoir sampling (Vitter's algorithm R): each latency stays with the same probability. */
  #keep({ latenciesMs, ok }: Tally, latencyMs: number): void {
    if (latenciesMs.length < maxLatencies) latenciesMs.push(latencyMs);
    else {
      const at = Math.floor(this.#random() * ok);
      if (at < maxLatencies) latenciesMs[at] = latencyMs;
    }
  }
}
