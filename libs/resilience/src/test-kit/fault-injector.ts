import type { Call } from '../call.ts';
import type { Next } from '../policy.ts';
import { Protection } from '../protection.ts';
import { atLeastZero, between } from '../range.ts';
import { sleep } from '../sleep.ts';
import { rejection } from '../start.ts';
import { platformTimers, type Random, type Timers } from '../time.ts';

/** What goes wrong, and how often. */
export interface FaultInjectorOptions {
  /** Share of the calls that get the fault, from 0 to 1. Default 1. */
  readonly rate?: number;
  /** So long they take more, in milliseconds. Default 0. */
  readonly latencyMs?: number | (() => number);
  /** Then they fail with this error (a function makes one for each), and nothing is called. Default: they go on. */
  readonly error?: unknown;
  /** Or they never answer: they settle only when they are aborted. Default false. */
  readonly hang?: boolean;
  /** Default `Math.random`; {@link seeded} makes a run repeatable. */
  readonly random?: Random;
  /** Default the platform's. */
  readonly timers?: Timers;
}

/**
 * Spoils calls on purpose, to learn how a pipeline behaves and to test that it does. Stands where the trouble would be: innermost.
 *
 * @throws RangeError when an option is out of its range.
 * @example
 * const flaky = faultInjector({ rate: 0.3, latencyMs: 200, error: () => new Error('injected'), random: seeded(1) });
 * await pipeline(retry(), timeLimiter({ timeoutMs: 1000 }), flaky).execute(work);
 */
export class FaultInjector extends Protection {
  readonly #latencyMs: () => number;
  readonly #fails: boolean;
  readonly #error: unknown;
  readonly #hang: boolean;
  readonly #random: Random;
  readonly #timers: Timers;
  #rate: number;
  #injected = 0;

  constructor(options: FaultInjectorOptions = {}) {
    super();
    const { rate = 1, latencyMs = 0, hang = false } = options;
    this.#rate = between('faultInjector: rate', rate, 0, 1);
    this.#latencyMs =
      typeof latencyMs === 'function'
        ? latencyMs
        : constant(atLeastZero('faultInjector: latencyMs', latencyMs));
    this.#fails = 'error' in options;
    this.#error = options.error;
    this.#hang = hang;
    this.#random = options.random ?? Math.random;
    this.#timers = options.timers ?? platformTimers;
  }

  /** Calls that got the fault. */
  get injected(): number {
    return this.#injected;
  }

  /** Share of the calls that get the fault; set it to 0 to end the outage. */
  get rate(): number {
    return this.#rate;
  }

  set rate(rate: number) {
    this.#rate = between('faultInjector: rate', rate, 0, 1);
  }

  layer<T>(next: Next<T>): Next<T> {
    return (call) => {
      if (this.#random() >= this.#rate) return next(call);
      this.#injected++;
      return this.#spoil(next, call);
    };
  }

  async #spoil<T>(next: Next<T>, call: Call): Promise<T> {
    const latencyMs = this.#latencyMs();
    if (latencyMs > 0) await sleep(latencyMs, call, this.#timers);
    if (this.#hang) return hang(call);
    if (!this.#fails) return next(call);
    return rejection(
      typeof this.#error === 'function' ? (this.#error as (call: Call) => unknown)(call) : this.#error,
    );
  }
}

function constant(value: number): () => number {
  return () => value;
}

function hang(call: Call): Promise<never> {
  return new Promise((_, reject) => {
    call.onAbort(() => {
      // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors -- the caller's own reason
      reject(call.reason);
    });
  });
}

/** Makes a {@link FaultInjector}. */
export function faultInjector(options?: FaultInjectorOptions): FaultInjector {
  return new FaultInjector(options);
}
