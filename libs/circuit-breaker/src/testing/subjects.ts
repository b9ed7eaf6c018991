import type { CallSignal } from '../abort-signal.ts';
import { circuitBreaker } from '../circuit-breaker.ts';
import type { CircuitState } from '../snapshot.ts';
import { failureRate } from '../window-rule.ts';

declare const performance: { now(): number };

/** What a scenario asks a breaker to be. */
export interface Wish {
  /** It opens at so many failures; with a ratio, from so many calls on. */
  readonly calls: number;
  readonly ratio?: number;
  readonly windowMs?: number;
  readonly breakMs?: number;
}

/** A breaker of one of the three libraries, as far as scenarios need it. */
export interface Subject {
  call(fn: () => unknown, signal?: CallSignal): Promise<unknown>;
  /** As the library itself reports it. */
  readonly state: CircuitState;
  onSuccess(listener: () => void): unknown;
  /** Whether the options that were passed are as they were. */
  readonly keepsOptions: boolean;
}

export type Maker = (wish: Wish) => Subject;

// By a name that is not a literal: Jest loads them, so that its timers reach them, and the types of one would bring those of Node.
const load = async <T>(name: string): Promise<T> => (await import(name)) as T;

export const ours: Maker = ({ calls, ratio = 1e-9, windowMs = 10_000, breakMs = 100 }) => {
  const options = {
    tripWhen: failureRate({ ratio, minimumCalls: calls, windowMs }),
    resetTimeoutInMilliseconds: breakMs,
    successThreshold: 1,
    clock: { now: () => performance.now() },
  };
  const given = Object.keys(options).length;
  const breaker = circuitBreaker(options);
  return {
    call: (fn, signal) => breaker.execute(fn, { signal }),
    get state() {
      return breaker.state;
    },
    onSuccess: (listener) => breaker.on('success', listener),
    get keepsOptions() {
      return Object.keys(options).length === given;
    },
  };
};

interface OpossumBreaker {
  readonly opened: boolean;
  readonly halfOpen: boolean;
  fire(fn: () => unknown): Promise<unknown>;
  on(event: 'success', listener: () => void): void;
  shutdown(): void;
}

const { default: Opossum } = await load<{
  default: new (action: (fn: () => unknown) => unknown, options: object) => OpossumBreaker;
}>('opossum');

const running: OpossumBreaker[] = [];

export const opossum: Maker = ({ calls, ratio = 0.01, windowMs = 10_000, breakMs = 100 }) => {
  const options = {
    timeout: false,
    volumeThreshold: calls,
    errorThresholdPercentage: ratio * 100 - 1e-9,
    rollingCountTimeout: windowMs,
    resetTimeout: breakMs,
  };
  const given = Object.keys(options).length;
  const breaker = new Opossum((fn) => fn(), options);
  running.push(breaker);
  return {
    call: (fn) => breaker.fire(fn),
    get state() {
      return breaker.opened ? 'open' : breaker.halfOpen ? 'half-open' : 'closed';
    },
    onSuccess: (listener) => {
      breaker.on('success', listener);
    },
    get keepsOptions() {
      return Object.keys(options).length === given;
    },
  };
};

/** Its timers and those of its statistics go on for ever else. */
export function stopOpossums(): void {
  for (const breaker of running.splice(0)) breaker.shutdown();
}

interface CockatielPolicy {
  readonly state: number;
  execute(fn: () => unknown, signal?: CallSignal): Promise<unknown>;
  onSuccess(listener: () => void): unknown;
}

interface Cockatiel {
  readonly handleAll: object;
  readonly ConsecutiveBreaker: new (failures: number) => object;
  readonly SamplingBreaker: new (options: object) => object;
  circuitBreaker(policy: object, options: { breaker: object; halfOpenAfter: number }): CockatielPolicy;
  usePolicy(policy: object): (method: never, context: never) => never;
}

export const cockatielLibrary = await load<Cockatiel>('cockatiel');

export const cockatiel: Maker = ({ calls, ratio, windowMs = 10_000, breakMs = 100 }) => {
  const { handleAll, ConsecutiveBreaker, SamplingBreaker } = cockatielLibrary;
  const sampling = { threshold: ratio, duration: windowMs, minimumRps: (calls * 1_000) / windowMs };
  const options = {
    halfOpenAfter: breakMs,
    breaker: ratio === undefined ? new ConsecutiveBreaker(calls) : new SamplingBreaker(sampling),
  };
  const given = Object.keys(options).length;
  const policy = cockatielLibrary.circuitBreaker(handleAll, options);
  return {
    call: (fn, signal) => policy.execute(fn, signal),
    get state() {
      return (['closed', 'open', 'half-open'] as const)[policy.state] ?? 'open';
    },
    onSuccess: (listener) => policy.onSuccess(listener),
    get keepsOptions() {
      return Object.keys(options).length === given;
    },
  };
};
