import { isAbandonedCall, type Abortable } from './abortable.ts';
import { isAbandoned, listenTo, type CallSignal } from './abort-signal.ts';
import type { CallPermit } from './call-permit.ts';
import { Circuit } from './circuit.ts';
import { circuitOpenError } from './errors.ts';
import type { CircuitEventName, CircuitEvents } from './events.ts';
import { recover } from './fallback.ts';
import type { Gate, Outcome, Permit } from './gate.ts';
import { isolation, type Isolation } from './isolation.ts';
import { readOptions, type CallResult, type CircuitBreakerOptions, type CircuitTuning } from './options.ts';
import { failed, refused, succeeded, type CallOutcome } from './outcome.ts';
import { Passage, type Judge } from './passage.ts';
import { readSaved, remainingMs, type SavedCircuit } from './saved-circuit.ts';
import { changeSettings, changeTuning } from './settings.ts';
import type { CircuitSnapshot, CircuitState } from './snapshot.ts';
import { noSignal, rejection, start, type CallContext } from './start.ts';
import { WaitingRoom } from './waiting-room.ts';
import { disguise, methodOf, type AsyncMethod, type MethodDecorator, type WrapOptions } from './wrap.ts';

/** Options of one call. */
export interface CallOptions {
  /** The caller's signal. When it aborts, the call rejects at once with its reason and says nothing about the circuit; a timeout signal counts as a failure. */
  readonly signal?: CallSignal | undefined;
}

/** Options of one call of `execute`. */
export interface ExecuteOptions<F = never> extends CallOptions {
  /** Answers instead of a failed or refused call; not when the caller has aborted. */
  readonly fallback?: ((error: unknown) => F | PromiseLike<F>) | undefined;
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
  readonly #circuit: Circuit;
  readonly #judge: Judge;
  readonly #room: WaitingRoom | undefined;
  #tuning: CircuitTuning;
  #passage: Passage | undefined;

  constructor(options: CircuitBreakerOptions = {}) {
    const { name, clocks, mayOpen, classify, maximumWaiting, tuning, settings } = readOptions(options);
    this.#tuning = tuning;
    this.#circuit = new Circuit(name, settings, clocks, mayOpen);
    this.#judge = classify && ((result) => this.#ask(classify, result));
    if (maximumWaiting > 0) this.#room = new WaitingRoom(maximumWaiting, this.#circuit);
  }

  /** Name in events, errors and snapshots. */
  get name(): string {
    return this.#circuit.name;
  }

  /** State at this moment; reading it changes nothing. An open circuit whose break is over is `half-open`, an isolated one `open`. */
  get state(): CircuitState {
    return this.#circuit.state;
  }

  /** Whether a call would be let through now; while the circuit ramps up, whether some are. */
  get available(): boolean {
    return this.#circuit.available;
  }

  /** Milliseconds until trials are let through, rounded up; 0 unless open. */
  get retryAfterMs(): number {
    return this.#circuit.retryAfterMs;
  }

  /**
   * Asks for one call that you make yourself (a stream, a queue, an interceptor); `undefined` when the circuit refuses.
   * Settle the permit when you know how the call went, or let `using` give it back without a verdict.
   */
  tryAcquire(): Permit | undefined {
    return this.#circuit.acquire();
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
    if (options === undefined) return this.#call(fn, undefined);
    const { signal, fallback } = options;
    const call = this.#call(fn, signal);
    if (fallback === undefined) return call;
    return call.catch((error: unknown) => {
      if (isAbandoned(signal)) throw error;
      return recover(error, fallback);
    });
  }

  /** The same without a throw: a refusal costs a fraction of a rejected promise. Never rejects. */
  tryExecute<T>(
    fn: (context: CallContext) => T | PromiseLike<T>,
    options?: CallOptions,
  ): Promise<CallOutcome<Awaited<T>>> {
    const signal = options?.signal;
    if (this.#circuit.passing && signal === undefined) return this.#pass(fn).then(succeeded, failed);
    if (signal?.aborted === true) return Promise.resolve(failed(signal.reason));
    if (this.#room?.mayWait === true) {
      return this.#room.wait(signal && listenTo(signal)).then((late) => this.#outcome(late, fn, signal));
    }
    return this.#outcome(this.#circuit.acquire(), fn, signal);
  }

  /**
   * The circuit as a layer of a pipeline: `next` is what it protects. The call may tell that it was aborted (see `Abortable`):
   * then it says nothing about the circuit.
   */
  layer<C extends Abortable, T>(next: (call: C) => Promise<T>): (call: C) => Promise<T> {
    return (call) => {
      if (!this.#circuit.passing) return this.#throughLayer(next, call);
      const passage = this.#currentPassage();
      return start(next, call).then(passage.resolved, (error: unknown) => {
        if (!isAbandonedCall(call)) return passage.rejected(error);
        this.#circuit.settleCall(passage.generation, 0, 'ignored', undefined);
        throw error;
      });
    };
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
   * of the class share this circuit; `CircuitBreakers.protect` gives one for each key.
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
    ) => this.wrap(methodOf(method, context), options as unknown as WrapOptions<Args, F>);
  }

  /** Listens to one kind of event; what a listener throws (or rejects with) becomes a `fault` event and hurts no call. @returns the way to stop. */
  on<K extends CircuitEventName>(type: K, listener: (event: CircuitEvents[K]) => unknown): () => void {
    return this.#circuit.journal.listen(type, listener);
  }

  /** The circuit at this moment, frozen; the same object as long as nothing changed. */
  getSnapshot(): CircuitSnapshot {
    return this.#circuit.snapshot();
  }

  /** Calls `listener` after every change that a call made. What only time changes (the end of the break) is seen by reading. */
  subscribe(listener: () => void): () => void {
    return this.#circuit.journal.listen('change', listener);
  }

  /** Closes the circuit and forgets the failures; calls under way no longer count. Totals stay. */
  reset(): void {
    this.#circuit.reset();
  }

  /**
   * Holds the circuit open until it is released; several holders all have to.
   *
   * @example
   * using hold = breaker.isolate(); // maintenance
   */
  isolate(): Isolation {
    return isolation(this.#circuit);
  }

  /**
   * Changes options while the circuit works; those that are not named stay. State and window stay too, but a new rule counts anew.
   *
   * @throws RangeError when an option is out of its range; then nothing has changed.
   */
  reconfigure(changes: CircuitTuning): void {
    const tuning = changeTuning(this.#tuning, changes);
    this.#circuit.tune(changeSettings(this.#circuit.settings, tuning, changes));
    this.#tuning = tuning;
  }

  /** Where the circuit stands, as JSON. `wallNow` is the wall clock in milliseconds since 1970. */
  save(wallNow: number = Date.now()): SavedCircuit {
    // Not its state: a circuit that somebody holds open, here and now, may be closed by itself.
    const { openedAt, failureCount } = this.#circuit.snapshot();
    return {
      version: 1,
      state: openedAt === undefined ? 'closed' : 'open',
      remainingMs: this.#circuit.retryAfterMs,
      failureCount,
      attempt: this.#circuit.attempts,
      savedAt: wallNow,
    };
  }

  /** Stands where the saved circuit stood, less the time that has passed since; its window starts empty. @throws RangeError when it is no saved circuit. */
  restore(saved: SavedCircuit, wallNow: number = Date.now()): void {
    const { state, attempt, failureCount } = readSaved(saved);
    const open = { remainingMs: remainingMs(saved, wallNow), failureCount };
    this.#circuit.resume(attempt, state === 'open' ? open : undefined);
  }

  #call<T>(
    fn: (context: CallContext) => T | PromiseLike<T>,
    signal: CallSignal | undefined,
  ): Promise<Awaited<T>> {
    if (this.#circuit.passing && signal === undefined) return this.#pass(fn);
    if (signal?.aborted === true) return rejection(signal.reason);
    if (this.#room?.mayWait === true) {
      const turn = this.#room.wait(signal && listenTo(signal));
      return this.#afterWaiting(turn, signal, (late) => this.#run(late, fn, signal));
    }
    const permit = this.#circuit.acquire();
    return permit === undefined ? this.#refused() : this.#run(permit, fn, signal);
  }

  #pass<T>(fn: (context: CallContext) => T | PromiseLike<T>): Promise<Awaited<T>> {
    const passage = this.#currentPassage();
    return start(fn, noSignal).then(passage.resolved, passage.rejected);
  }

  /** The general way: a permit of its own, and an ear for the caller's signal. */
  #run<T>(
    permit: CallPermit,
    fn: (context: CallContext) => T | PromiseLike<T>,
    signal: CallSignal | undefined,
  ): Promise<Awaited<T>> {
    if (signal === undefined) return this.#settled(permit, start(fn, noSignal));
    return new Promise((resolve, reject) => {
      const abort = (): void => {
        signal.removeEventListener('abort', abort);
        if (isAbandoned(signal)) permit.settle('ignored');
        else this.#fail(permit, signal.reason);
        // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors -- the caller's own reason
        reject(signal.reason);
      };
      signal.addEventListener('abort', abort);
      this.#settled(permit, start(fn, { signal })).then(
        (value) => {
          signal.removeEventListener('abort', abort);
          resolve(value);
        },
        (error: unknown) => {
          signal.removeEventListener('abort', abort);
          // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors -- passed on as it was thrown
          reject(error);
        },
      );
    });
  }

  #throughLayer<C extends Abortable, T>(next: (call: C) => Promise<T>, call: C): Promise<T> {
    if (call.aborted === true) return rejection(call.reason);
    if (this.#room?.mayWait === true) {
      const turn = this.#room.wait(call.onAbort?.bind(call));
      return this.#afterWaiting(turn, call, (late) => this.#runLayer(late, next, call));
    }
    const permit = this.#circuit.acquire();
    return permit === undefined ? this.#refused() : this.#runLayer(permit, next, call);
  }

  #runLayer<C extends Abortable, T>(permit: CallPermit, next: (call: C) => Promise<T>, call: C): Promise<T> {
    const stop = call.onAbort?.(() => {
      if (isAbandonedCall(call)) permit.settle('ignored');
      else this.#fail(permit, call.reason);
    });
    const answer = this.#settled(permit, start(next, call), call);
    return stop === undefined ? answer : answer.finally(stop);
  }

  /** Settles the permit as the answer says, unless an abort did before. */
  #settled<T>(permit: CallPermit, answer: Promise<T>, call?: Abortable): Promise<T> {
    const judge = this.#judge;
    return answer.then(
      (value) => {
        if (judge === undefined) permit.settle('success');
        else if (!permit.settled) permit.settle(judge({ ok: true, value }), value);
        return value;
      },
      (error: unknown) => {
        if (call !== undefined && isAbandonedCall(call)) permit.settle('ignored');
        else if (!permit.settled) this.#fail(permit, error);
        throw error;
      },
    );
  }

  #fail(permit: CallPermit, error: unknown): void {
    permit.settle(this.#judge?.({ ok: false, error }) ?? 'failure', error);
  }

  #refused(): Promise<never> {
    return rejection(circuitOpenError(this.#circuit.refusal()));
  }

  /** A call whose turn has come, or that is refused by now. Its caller may have gone in the moment between. */
  async #afterWaiting<T>(
    turn: Promise<CallPermit | undefined>,
    caller: Abortable | undefined,
    run: (permit: CallPermit) => Promise<T>,
  ): Promise<T> {
    const permit = await turn;
    if (caller?.aborted === true) {
      permit?.settle('ignored');
      throw caller.reason;
    }
    if (permit === undefined) throw circuitOpenError(this.#circuit.refusal());
    return run(permit);
  }

  /** How a call ends for those who do not want it thrown; see {@link #afterWaiting}. */
  #outcome<T>(
    permit: CallPermit | undefined,
    fn: (context: CallContext) => T | PromiseLike<T>,
    signal: CallSignal | undefined,
  ): Promise<CallOutcome<Awaited<T>>> {
    if (signal?.aborted === true) {
      permit?.settle('ignored');
      return Promise.resolve(failed(signal.reason));
    }
    if (permit === undefined) return Promise.resolve(refused(this.#circuit.refusal()));
    return this.#run(permit, fn, signal).then(succeeded, failed);
  }

  #currentPassage(): Passage {
    if (this.#passage?.generation === this.#circuit.generation) return this.#passage;
    return (this.#passage = new Passage(this.#circuit, this.#judge));
  }

  #ask(classify: (result: CallResult) => Outcome, result: CallResult): Outcome {
    const usual = result.ok ? 'success' : 'failure';
    try {
      const outcome: unknown = classify(result);
      return outcome === 'success' || outcome === 'failure' || outcome === 'ignored' ? outcome : usual;
    } catch (error) {
      this.#circuit.journal.fault(error);
      return usual;
    }
  }
}

/** A {@link CircuitBreaker}, for those who do not write `new`. @throws RangeError when an option is out of its range. */
export function circuitBreaker(options?: CircuitBreakerOptions): CircuitBreaker {
  return new CircuitBreaker(options);
}
