import type { Load } from './load.ts';
import { numberIn } from './options.ts';

/** What `slowStart` of a balancer takes. */
export interface SlowStartOptions {
  /** Time until an endpoint that is new, or back, gets its whole share, ms. */
  readonly windowMs: number;
  /** 1 is a straight line (default); higher starts faster, lower slower. */
  readonly aggression?: number;
  /** Part of its share that it gets at least, above 0 to 1; default 0.1. */
  readonly minRatio?: number;
}

/** The first second counts as one: a share of nothing would never warm anything. */
const firstMs = 1000;

/**
 * Lets an endpoint that joined, became available or came back from ejection have its share little by little:
 * `max(minRatio, (max(t, 1 s) / window) ^ (1 / aggression))` of it (Envoy). When more than half of the endpoints are warming
 * up nobody is held back: there would be nowhere to go.
 */
export class SlowStart {
  readonly #windowMs: number;
  readonly #exponent: number;
  readonly #minRatio: number;
  #loads: readonly Load[] = [];
  #suspended = false;

  /** @throws RangeError naming an option that makes no sense. */
  constructor({ windowMs, aggression = 1, minRatio = 0.1 }: SlowStartOptions) {
    this.#windowMs = numberIn('slowStart.windowMs', windowMs, 1);
    this.#exponent = 1 / numberIn('slowStart.aggression', aggression, 0.01, 100);
    this.#minRatio = numberIn('slowStart.minRatio', minRatio, 0.001, 1);
  }

  /** Another set; those that were in none yet begin. */
  update(loads: readonly Load[], nowMs: number): void {
    this.#loads = loads;
    for (const load of loads) load.joinedMs ??= load.warmSinceMs = nowMs;
    this.#judge(nowMs);
  }

  begin(load: Load, nowMs: number): void {
    load.warmSinceMs = nowMs;
    this.#judge(nowMs);
  }

  /** The part of its share that an endpoint gets now. */
  ratio(load: Load, nowMs: number): number {
    if (load.warmSinceMs === undefined) return 1;
    if (this.#rampOf(load.warmSinceMs, nowMs) === 1) {
      load.warmSinceMs = undefined;
      this.#judge(nowMs);
      return 1;
    }
    return this.#suspended ? 1 : this.#rampOf(load.warmSinceMs, nowMs);
  }

  #rampOf(sinceMs: number, nowMs: number): number {
    const passed = nowMs - sinceMs;
    if (passed >= this.#windowMs) return 1;
    const ramp = (Math.max(passed, firstMs) / this.#windowMs) ** this.#exponent;
    return Math.min(1, Math.max(this.#minRatio, ramp));
  }

  #judge(nowMs: number): void {
    const { length } = this.#loads.filter(
      ({ warmSinceMs }) => warmSinceMs !== undefined && nowMs - warmSinceMs < this.#windowMs,
    );
    this.#suspended = length * 2 > this.#loads.length;
  }
}
