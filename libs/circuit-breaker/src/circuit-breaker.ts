import { isAbandoned, type CallSignal } from './abort-signal.ts';
import { CallPermit } from './call-permit.ts';
import { circuitOpenError } from './errors.ts';
import { Events, type CircuitEventName, type CircuitEvents } from './events.ts';
import { recover } from './fallback.ts';
import type { Gate, Outcome, Permit } from './gate.ts';
import { CircuitMachine } from './machine.ts';
import { readSettings, type CallResult, type CircuitBreakerOptions } from './options.ts';
import type { CircuitSnapshot, CircuitState } from './snapshot.ts';
import { noSignal, rejection, start, type CallContext } from './start.ts';
import { disguise, type AsyncMethod, type MethodDecorator, type WrapOptions } from './wrap.ts';

/** Options of one call. */
export interface ExecuteOptions<F = never> {
  /** The caller's signal. When it aborts, the call rejects at once with its reason and says nothing about the circuit; a timeout signal counts as a failure. */
  readonly signal?: CallSignal | undefined;
  /** Answers instead of a failed or refused call; not when the caller has aborted. */
  readonly fallback?: ((error: unknown) => F | PromiseLike<F>) | undefined;
}

/** What becomes of a call that passes a closed circuit: made once for each generation, so that a call costs no closure. */
interface Passage {
  readonly generation: number;
  readonly resolved: <T>(value: T) => T;
  readonly rejected: (error: unknown) => never;
}

/**
 * Stops calling what keeps failing, and tries again on its own.
 *
 * @throws RangeError when an option is out of its range.
 * @example
 * const users = new CircuitBreaker({ name: 'user-service' });
 * const answer = await users.execute(({ signal }) => fetch(url, { signal }), { signal, fallback: () => cached });
 */
export class CircuitBreaker implements Gate {
  readonly #events: Events;
  readonly #machine: CircuitMachine;
  readonly #classify: CircuitBreakerOptions['classify'];
  #passage: Passage | undefined;

  constructor(options: CircuitBreakerOptions = {}) {
    const settings = readSettings(options);
    this.#events = new Events(settings.name);
    this.#machine = new CircuitMachine(settings, this.#events);
    this.#classify = options.classify;
  }

  /** Name in events, errors and snapshots. */
  get name(): string {
    return this.#machine.settings.name;
  }

  /** State at this moment; reading it changes nothing. An open circuit whose reset timeout has passed is `half-open`. */
  get state(): CircuitState {
    return this.#machine.state;
  }

  /** Whether a call would be let through now. */
  get available(): boolean {
    return this.#machine.available;
  }

  /** Milliseconds until trials are let through, rounded up; 0 unless open. */
  get retryAfterMs(): number {
    return this.#machine.retryAfterMs;
  }

  /**
   * Asks for one call that you make yourself (a stream, a queue, an interceptor); `undefined` when the circuit refuses.
   * Settle the permit when you know how the call went, or let `using` give it back without a verdict.
   */
  tryAcquire(): Permit | undefined {
    const answer = this.#machine.acquire();
    return answer instanceof CallPermit ? answer : undefined;
  }

  /**
   * Calls `fn` unless the circuit refuses, and learns from how it ends.
   *
   * @returns what `fn` returns, or what the fallback does.
   * @throws CircuitOpenError when refused, the signal's reason when aborted, else what `fn` throws. If the fallback throws, its error
   * with the primary one as `cause`.
   */
  execute<T, F = never>(
    fn: (context: CallContext) => T | PromiseLike<T>,
    options?: ExecuteOptions<F>,
  ): Promise<Awaited<T> | Awaited<F>> {
    if (options === undefined) return this.#call(fn);
    const { signal, fallback } = options;
    const call = signal === undefined ? this.#call(fn) : this.#callWith(fn, signal);
    if (fallback === undefined) return call;
    return call.catch((error: unknown) => {
      if (isAbandoned(signal)) throw error;
      return recover(error, fallback);
    });
  }

  /**
   * The same function, protected: `this`, arguments, name and length are kept. An async function keeps its
   * very type; with a fallback the result is widened.
   */
  wrap<Method extends AsyncMethod>(fn: Method): Method;
  wrap<This, Args extends unknown[], T, F = never>(
    fn: (this: This, ...args: Args) => T | PromiseLike<T>,
    options?: WrapOptions<Args, F>,
  ): (this: This, ...args: Args) => Promise<Awaited<T> | Awaited<F>>;
  wrap<This, Args extends unknown[], T, F>(
    fn: (this: This, ...args: Args) => T | PromiseLike<T>,
    options: WrapOptions<Args, F> = {},
  ): (this: This, ...args: Args) => Promise<Awaited<T> | Awaited<F>> {
    const { signal, fallback } = options;
    const protect = (target: This, args: Args): Promise<Awaited<T> | Awaited<F>> =>
      this.execute<T, F>(() => fn.apply(target, args), {
        signal: signal?.(...args),
        fallback: fallback && ((error) => fallback(error, ...args)),
      });
    // Async, so that also what `signal` throws comes out of the promise.
    return disguise(async function (this: This, ...args: Args): Promise<Awaited<T> | Awaited<F>> {
      return protect(this, args);
    }, fn);
  }

  /**
   * Protects a method: a standard (TC39, 2022-03) decorator for instance, static and private methods. All instances
   * of the class share this circuit.
   *
   * @example
   * class Users {
   *   \@breaker.protect({ fallback: () => [] })
   *   async list(): Promise<User[]> { ... }
   * }
   */
  protect<F = never>(options: WrapOptions<never[], F> = {}): MethodDecorator<F> {
    return <This, Args extends unknown[], T>(
      method: (this: This, ...args: Args) => Promise<T>,
      context: ClassMethodDecoratorContext<This, (this: This, ...args: Args) => Promise<T>>,
    ) => {
      // Legacy decorators pass a property key here, and would fail far from their cause.
      if ((context as { kind?: unknown } | undefined)?.kind !== 'method') {
        throw new TypeError('circuitBreaker: protect is a standard decorator for methods');
      }
      return this.wrap(method, options as unknown as WrapOptions<Args, F>);
    };
  }

  /** Listens to one kind of event; what a listener throws (or rejects with) becomes a `fault` event and hurts no call. @returns the way to stop. */
  on<K extends CircuitEventName>(type: K, listener: (event: CircuitEvents[K]) => unknown): () => void {
    return this.#events.add(type, listener);
  }

  /** The circuit at this moment, frozen; the same object as long as nothing changed. */
  getSnapshot(): CircuitSnapshot {
    return this.#machine.snapshot();
  }

  /** Calls `listener` after every change that a call made. What only time changes (the end of the break) is seen by reading. */
  subscribe(listener: () => void): () => void {
    return this.#events.add('change', listener);
  }

  /** Closes the circuit and forgets the failures; calls under way no longer count. Totals stay. */
  reset(): void {
    this.#machine.reset();
  }

  #call<T>(fn: (context: CallContext) => T | PromiseLike<T>): Promise<Awaited<T>> {
    if (!this.#machine.passing) return this.#callWith(fn, undefined);
    const passage = this.#currentPassage();
    return start(fn, noSignal).then(passage.resolved, passage.rejected);
  }

  /** The general way: a permit of its own, and an ear for the caller's signal. */
  #callWith<T>(
    fn: (context: CallContext) => T | PromiseLike<T>,
    signal: CallSignal | undefined,
  ): Promise<Awaited<T>> {
    if (signal?.aborted === true) return rejection(signal.reason);
    const permit = this.#machine.acquire();
    if (!(permit instanceof CallPermit)) return rejection(circuitOpenError(permit));
    return new Promise((resolve, reject) => {
      const abort = (): void => {
        signal?.removeEventListener('abort', abort);
        const outcome = isAbandoned(signal) ? 'ignored' : this.#judge({ ok: false, error: signal?.reason });
        permit.settle(outcome, signal?.reason);
        // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors -- the caller's own reason
        reject(signal?.reason);
      };
      signal?.addEventListener('abort', abort);
      start(fn, signal === undefined ? noSignal : { signal }).then(
        (value) => {
          signal?.removeEventListener('abort', abort);
          if (!permit.settled) permit.settle(this.#judge({ ok: true, value }));
          resolve(value);
        },
        (error: unknown) => {
          signal?.removeEventListener('abort', abort);
          if (!permit.settled) permit.settle(this.#judge({ ok: false, error }), error);
          // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors -- passed on as it was thrown
          reject(error);
        },
      );
    });
  }

  #currentPassage(): Passage {
    const passage = this.#passage;
    if (passage?.generation === this.#machine.generation) return passage;
    return (this.#passage = this.#newPassage());
  }

  #newPassage(): Passage {
    const machine = this.#machine;
    const { generation } = machine;
    // Looked at here, not in #judge: most circuits have none, and the call would double what a failure costs.
    const classify = this.#classify;
    return {
      generation,
      resolved: (value) => {
        machine.settleCall(generation, classify ? this.#judge({ ok: true, value }) : 'success', undefined);
        return value;
      },
      rejected: (error) => {
        machine.settleCall(generation, classify ? this.#judge({ ok: false, error }) : 'failure', error);
        throw error;
      },
    };
  }

  #judge(result: CallResult): Outcome {
    const usual = result.ok ? 'success' : 'failure';
    if (this.#classify === undefined) return usual;
    try {
      const outcome: unknown = this.#classify(result);
      return outcome === 'success' || outcome === 'failure' || outcome === 'ignored' ? outcome : usual;
    } catch (error) {
      this.#events.fault(error);
      return usual;
    }
  }
}

/** A {@link CircuitBreaker}, for those who do not write `new`. @throws RangeError when an option is out of its range. */
export function circuitBreaker(options?: CircuitBreakerOptions): CircuitBreaker {
  return new CircuitBreaker(options);
}
