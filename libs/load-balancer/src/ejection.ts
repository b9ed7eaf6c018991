import { Conduct } from './conduct.ts';
import type { Load } from './load.ts';
import { numberIn } from './options.ts';
import { outliersOf } from './outliers.ts';
import type { LeaseResult, Random } from './policy.ts';

/** What `ejection` of a balancer takes; `{}` means all of the defaults. A check whose first number is 0 is off. */
export interface EjectionOptions {
  /** Failures in a row that eject at once; default 5. */
  readonly consecutiveFailures?: number;
  /** Ejects who succeeds less often than the mean minus so many standard deviations; default 1.9. */
  readonly successRateStdevs?: number;
  /** Answers in an interval below which the success rate of an endpoint does not count; default 100. */
  readonly successRateMinAnswers?: number;
  /** Ejects who fails at least so often, 0 to 1; default 0.85. */
  readonly failureRatio?: number;
  /** Answers in an interval below which the failures of an endpoint are not rated; default 50. */
  readonly failureMinAnswers?: number;
  /** Ejects whose 95th percentile of response time is above so many times the median of all; default 3. */
  readonly latencyFactor?: number;
  /** Answers in an interval below which the response times of an endpoint do not count; default 50. */
  readonly latencyMinAnswers?: number;
  /** Endpoints that must have enough answers before they are compared; default 5. */
  readonly minEndpoints?: number;
  /** Time between two comparisons, ms; default 10 000. */
  readonly intervalMs?: number;
  /** First ejection, ms; the second in a row takes twice as long, the third three times; default 30 000. */
  readonly baseMs?: number;
  /** Longest ejection, ms; default 300 000. */
  readonly maxMs?: number;
  /** Up to so much is added by chance, so that those ejected together do not come back together, ms; default 1000. */
  readonly jitterMs?: number;
  /** Part of the endpoints that may be ejected at a time, 0 to 1, but always one of several; default 0.1. */
  readonly maxEjectedRatio?: number;
}

/** What became of an endpoint: it was taken out, again after a probe that failed, or is back after one that succeeded. */
export interface EjectionEvent {
  readonly id: string;
  readonly state: 'ejected' | 'restored';
  /** How long it gets no request, ms; 0 when it is back. */
  readonly termMs: number;
}

/** The options with their defaults. */
export type EjectionRules = Readonly<Required<EjectionOptions>>;

const defaults: EjectionRules = {
  consecutiveFailures: 5,
  successRateStdevs: 1.9,
  successRateMinAnswers: 100,
  failureRatio: 0.85,
  failureMinAnswers: 50,
  latencyFactor: 3,
  latencyMinAnswers: 50,
  minEndpoints: 5,
  intervalMs: 10_000,
  baseMs: 30_000,
  maxMs: 300_000,
  jitterMs: 1000,
  maxEjectedRatio: 0.1,
};

/** Options whose range is not simply "a number from 0". */
const least: Partial<Record<keyof EjectionRules, number>> = {
  minEndpoints: 2,
  intervalMs: 1,
  baseMs: 1,
  maxMs: 1,
};
const most: Partial<Record<keyof EjectionRules, number>> = { failureRatio: 1, maxEjectedRatio: 1 };

/**
 * Takes endpoints out that fail in a row, or that stand out from the others (Envoy's outlier detection, gRPC proposal A50,
 * and response times).
 *
 * ```
 *   in --- outlier, and not too many are out ---> out
 *    ^                                             | its time is up
 *    |                                             v
 *    '---- the probe succeeds (slow start) --- half-open --- the probe fails ---> out, for longer
 *                                          one request at a time
 * ```
 */
export class Ejection {
  readonly #rules: EjectionRules;
  readonly #random: Random;
  readonly #told: ((event: EjectionEvent) => void) | undefined;
  #loads: readonly Load[] = [];
  #nextSweepMs: number | undefined;

  /** @throws RangeError naming an option that makes no sense. */
  constructor(options: EjectionOptions, random: Random, told?: (event: EjectionEvent) => void) {
    this.#rules = { ...defaults, ...options };
    this.#random = random;
    this.#told = told;
    for (const name of Object.keys(defaults) as (keyof EjectionRules)[])
      numberIn(`ejection.${name}`, this.#rules[name], least[name] ?? 0, most[name]);
  }

  update(loads: readonly Load[]): void {
    this.#loads = loads;
    for (const load of loads) load.conduct ??= new Conduct();
  }

  /** Whether a request may go there now: not while it is out, and one at a time while it is half-open. */
  allows({ conduct }: Load, nowMs: number): boolean {
    return conduct === undefined || conduct.admits(nowMs, this.#rules.baseMs);
  }

  /** Counts a result; true when the endpoint is back because of it. */
  ended(load: Load, result: LeaseResult, startMs: number, nowMs: number): boolean {
    const { conduct } = load;
    if (conduct === undefined) return false;
    this.#sweepWhenDue(nowMs);
    if (conduct.state === 'out') return this.#probed(load.id, conduct, result, startMs, nowMs);
    conduct.count(result);
    const { consecutiveFailures } = this.#rules;
    if (consecutiveFailures > 0 && conduct.failuresInRow >= consecutiveFailures) this.#eject(load, nowMs);
    return false;
  }

  #probed(id: string, conduct: Conduct, { outcome }: LeaseResult, startMs: number, nowMs: number): boolean {
    // Requests of before the end of the ejection say nothing about now.
    if (startMs < conduct.outUntilMs) return false;
    if (outcome === 'failure') this.#takeOut(id, conduct, nowMs);
    else if (outcome === 'success') {
      conduct.comeBack();
      this.#told?.({ id, state: 'restored', termMs: 0 });
    } else conduct.forgetProbe();
    return outcome === 'success';
  }

  #sweepWhenDue(nowMs: number): void {
    this.#nextSweepMs ??= nowMs + this.#rules.intervalMs;
    if (nowMs < this.#nextSweepMs) return;
    this.#nextSweepMs = nowMs + this.#rules.intervalMs;
    const inside = this.#loads.filter(({ conduct }) => conduct?.state === 'in');
    const outliers = new Set(
      outliersOf(
        inside.flatMap(({ conduct }) => conduct ?? []),
        this.#rules,
      ),
    );
    for (const load of inside) {
      if (load.conduct && outliers.has(load.conduct)) this.#eject(load, nowMs);
      load.conduct?.startInterval();
    }
  }

  #eject(load: Load, nowMs: number): void {
    const { conduct } = load;
    if (conduct === undefined) return;
    if (!this.#hasRoom()) {
      conduct.spare();
      return;
    }
    this.#takeOut(load.id, conduct, nowMs);
    load.restricted = true;
  }

  #takeOut(id: string, conduct: Conduct, nowMs: number): void {
    const termMs = this.#termMs(conduct);
    conduct.eject(nowMs, termMs);
    this.#told?.({ id, state: 'ejected', termMs });
  }

  #hasRoom(): boolean {
    const { length } = this.#loads;
    const out = this.#loads.filter(({ conduct }) => conduct?.state === 'out').length;
    return length > 1 && out < Math.max(1, Math.floor(length * this.#rules.maxEjectedRatio));
  }

  #termMs({ ejections }: Conduct): number {
    const { baseMs, maxMs, jitterMs } = this.#rules;
    return Math.min(baseMs * (ejections + 1), Math.max(baseMs, maxMs)) + this.#random() * jitterMs;
  }
}
