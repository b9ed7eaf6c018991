import { Ejection } from './ejection.ts';
import type { EjectionEvent, EjectionOptions } from './ejection.ts';
import type { Load } from './load.ts';
import type { Clock, LeaseResult, Random } from './policy.ts';
import { SlowStart } from './slow-start.ts';
import type { SlowStartOptions } from './slow-start.ts';

/** Longest time that an endpoint can ask to be left alone. */
const longestRetryAfterMs = 300_000;

/** Options of {@link Restraints}. */
export interface RestraintOptions {
  readonly slowStart?: SlowStartOptions | undefined;
  readonly ejection?: EjectionOptions | undefined;
  readonly onEjection?: ((event: EjectionEvent) => void) | undefined;
}

/** What keeps requests away from an endpoint that is available: ejection, its own `Retry-After`, slow start. */
export class Restraints {
  readonly #clock: Clock;
  readonly #slowStart: SlowStart | undefined;
  readonly #ejection: Ejection | undefined;

  /** @throws RangeError naming an option that makes no sense. */
  constructor({ slowStart, ejection, onEjection }: RestraintOptions, clock: Clock, random: Random) {
    this.#clock = clock;
    this.#slowStart = slowStart && new SlowStart(slowStart);
    this.#ejection = ejection && new Ejection(ejection, random, onEjection);
  }

  /** Whether every lease must know its start. */
  get isTimed(): boolean {
    return this.#ejection !== undefined;
  }

  update(loads: readonly Load[]): void {
    this.#ejection?.update(loads);
    this.#slowStart?.update(loads, this.#clock.now());
    for (const load of loads) load.restricted ||= load.warmSinceMs !== undefined;
  }

  /** Notes that it was found unavailable: when it is back it warms up. */
  away(load: Load): void {
    if (this.#slowStart === undefined) return;
    load.wasAway = load.restricted = true;
  }

  /** Whether it is neither ejected nor at rest. Brings its warm ratio up to date. */
  allows(load: Load, nowMs: number): boolean {
    if (load.wasAway) {
      load.wasAway = false;
      this.#slowStart?.begin(load, nowMs);
    }
    load.warmRatio = this.#slowStart?.ratio(load, nowMs) ?? 1;
    load.restricted =
      load.warmSinceMs !== undefined || nowMs < load.restUntilMs || load.conduct?.state === 'out';
    return nowMs >= load.restUntilMs && this.#ejection?.allows(load, nowMs) !== false;
  }

  /** Whether it is neither ejected nor at rest, without the right to probe. Changes nothing. */
  isFree({ conduct, restUntilMs }: Load, nowMs: number): boolean {
    return nowMs >= restUntilMs && conduct?.state !== 'out';
  }

  /** A lease was given; half-open it is the probe. */
  opened({ conduct }: Load, nowMs: number): void {
    if (conduct?.isHalfOpen(nowMs)) conduct.startProbe(nowMs);
  }

  ended(load: Load, result: LeaseResult, startMs: number, nowMs: number): void {
    if (this.#ejection?.ended(load, result, startMs, nowMs)) this.#slowStart?.begin(load, nowMs);
    load.restricted ||= load.warmSinceMs !== undefined;
  }

  /** Hears what the endpoint told about itself. */
  heard(load: Load, { retryAfterMs = 0, utilizationRatio }: LeaseResult): void {
    if (retryAfterMs > 0) {
      const untilMs = this.#clock.now() + Math.min(retryAfterMs, longestRetryAfterMs);
      load.restUntilMs = Math.max(load.restUntilMs, untilMs);
      load.restricted = true;
    }
    if (utilizationRatio !== undefined) load.report(utilizationRatio, this.#clock.now());
  }
}
