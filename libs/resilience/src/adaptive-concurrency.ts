import type { Gate, Outcome, Permit } from '@mesh/circuit-breaker';
import { isTimeoutReason } from './abort-signal.ts';
import { readQueue, type QueueOptions } from './bulkhead.ts';
import type { Call } from './call.ts';
import { gradient } from './gradient.ts';
import type { LimitFinder, LimitLaw, LimitSample } from './limit-law.ts';
import type { Next } from './policy.ts';
import { Protection } from './protection.ts';
import { integer, outOfRange } from './range.ts';
import { SlotPermit } from './slot-permit.ts';
import { Slots } from './slots.ts';
import { rejection } from './start.ts';

/** Options of an adaptive limit. */
export interface AdaptiveConcurrencyOptions extends QueueOptions {
  /** How the limit is found: {@link gradient} (default) by latency, {@link aimd} by drops, or your own. */
  readonly law?: LimitLaw;
  /** The limit to begin with. An integer, default 20. */
  readonly initialLimit?: number;
  /** Default 1. */
  readonly minLimit?: number;
  /** Default 1000. */
  readonly maxLimit?: number;
  /** The most calls that wait for a slot. An integer >= 0, default 0. */
  readonly maxQueue?: number;
  /**
   * Whether an error is a sign of overload. Default {@link isOverload}: a timeout, or a 429 or 503 by code or status. Other errors say nothing
   * about the load. If it throws, the default holds.
   */
  readonly isDrop?: (error: unknown) => boolean;
}

/**
 * A bulkhead that finds its size by itself, from how long calls take and which of them are dropped.
 *
 * @throws RangeError when an option is out of its range.
 * @example
 * const users = adaptiveConcurrency({ maxQueue: 50, maxWaitMs: 200 });
 * const answer = await users.execute(({ signal }) => fetch(url, { signal }), { signal });
 */
export class AdaptiveConcurrency extends Protection implements Gate {
  readonly #slots: Slots;
  readonly #finder: LimitFinder;
  readonly #minLimit: number;
  readonly #maxLimit: number;
  readonly #maxQueue: number;
  readonly #isDrop: ((error: unknown) => boolean) | undefined;
  #limit: number;

  constructor(options: AdaptiveConcurrencyOptions = {}) {
    super();
    const { minLimit = 1, maxLimit = 1000, maxQueue = 0, law = gradient() } = options;
    this.#minLimit = integer('adaptiveConcurrency: minLimit', minLimit);
    this.#maxLimit = integer('adaptiveConcurrency: maxLimit', maxLimit, minLimit);
    const { initialLimit = Math.min(Math.max(20, minLimit), maxLimit) } = options;
    this.#limit = integer('adaptiveConcurrency: initialLimit', initialLimit, minLimit);
    if (initialLimit > maxLimit)
      throw outOfRange('adaptiveConcurrency: initialLimit', `an integer <= ${maxLimit}`, initialLimit);
    this.#maxQueue = integer('adaptiveConcurrency: maxQueue', maxQueue, 0);
    this.#isDrop = options.isDrop;
    this.#finder = law();
    this.#slots = new Slots({ limit: this.#limit, maxQueue }, readQueue('adaptiveConcurrency', options));
  }

  /** The limit now, a whole number. */
  get limit(): number {
    return this.#slots.limit;
  }

  /** Whether a call would start at once; reading it changes nothing. */
  get available(): boolean {
    return this.#slots.available;
  }

  /** Calls under way. */
  get active(): number {
    return this.#slots.active;
  }

  /** Calls that wait. */
  get queued(): number {
    return this.#slots.queued;
  }

  /**
   * Takes a slot at once for a call that you make yourself; `undefined` is a refusal. Settle it when the call ends: the time of a
   * `success` counts, a `failure` is taken for a drop if its error is one (or there is none), `ignored` says nothing.
   */
  tryAcquire(): Permit | undefined {
    if (!this.#slots.tryTake()) return undefined;
    const startedAt = this.#slots.settings.clock.now();
    const inFlight = this.#slots.active;
    return new SlotPermit((outcome, error) => {
      this.#end(startedAt, inFlight, outcome, error);
    });
  }

  layer<T>(next: Next<T>): Next<T> {
    const run = (call: Call): Promise<T> => {
      const startedAt = this.#slots.settings.clock.now();
      const inFlight = this.#slots.active;
      try {
        return next(call).then(
          (value) => {
            this.#end(startedAt, inFlight, call.aborted ? 'ignored' : 'success');
            return value;
          },
          (error: unknown) => {
            const left = call.aborted && !isTimeoutReason(call.reason);
            this.#end(startedAt, inFlight, left ? 'ignored' : 'failure', error);
            throw error;
          },
        );
      } catch (error) {
        // A policy of somebody else.
        this.#slots.release();
        return rejection(error);
      }
    };
    return (call) => (this.#slots.tryTake() ? run(call) : this.#slots.wait(run, call));
  }

  #end(startedAt: number, inFlight: number, outcome: Outcome, error?: unknown): void {
    this.#learn(startedAt, inFlight, outcome, error);
    this.#slots.release();
  }

  #learn(startedAt: number, inFlight: number, outcome: Outcome, error: unknown): void {
    const dropped = outcome === 'failure' && (error === undefined || this.#judge(error));
    if (outcome !== 'success' && !dropped) return;
    const now = this.#slots.settings.clock.now();
    const sample = { rttMs: now - startedAt, inFlight, dropped, startedAt, now, limit: this.#limit };
    const limit = Math.min(this.#maxLimit, Math.max(this.#minLimit, this.#ask(sample)));
    // A law of somebody else may answer NaN.
    if (limit === this.#limit || Number.isNaN(limit)) return;
    this.#limit = limit;
    if (Math.floor(limit) !== this.#slots.limit)
      this.#slots.change({ limit: Math.floor(limit), maxQueue: this.#maxQueue });
  }

  #ask(sample: LimitSample): number {
    try {
      return this.#finder.next(sample);
    } catch {
      return sample.limit;
    }
  }

  #judge(error: unknown): boolean {
    try {
      return this.#isDrop?.(error) ?? isOverload(error);
    } catch {
      return isOverload(error);
    }
  }
}

/** Makes an {@link AdaptiveConcurrency}. */
export function adaptiveConcurrency(options?: AdaptiveConcurrencyOptions): AdaptiveConcurrency {
  return new AdaptiveConcurrency(options);
}

const overloadCodes: ReadonlySet<unknown> = new Set([
  'ERR_TIMEOUT',
  'ERR_RATE_LIMITED',
  'ERR_BULKHEAD_FULL',
  'ERR_UNAVAILABLE',
]);

/** Whether an error is a sign of overload: a timeout, or a refusal for want of capacity (by code, or status 429 or 503). */
export function isOverload(error: unknown): boolean {
  if (typeof error !== 'object' || error === null) return false;
  const { code, status } = error as { code?: unknown; status?: unknown };
  return isTimeoutReason(error) || overloadCodes.has(code) || status === 429 || status === 503;
}
