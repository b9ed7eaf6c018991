import type { CallSignal } from '@mesh/circuit-breaker';
import { Call, type CallContext, type CallFunction, type CallResult } from './call.ts';
import { discard } from './dispose.ts';
import type { Next, Policy } from './policy.ts';
import { rejection, start } from './start.ts';

/** Options of one call. */
export interface ExecuteOptions {
  /** The caller's signal: when it aborts, the call rejects at once with its reason, and what is under way is told. */
  readonly signal?: CallSignal | undefined;
}

/** Options of `wrap`. */
export interface WrapOptions<Args extends unknown[]> {
  /** Finds the caller's signal among the arguments. */
  readonly signal?: ((...args: Args) => CallSignal | undefined) | undefined;
  /** The arguments to call with, where the function takes a signal: put `context.signal` in the place of the caller's. */
  readonly pass?: ((context: CallContext, ...args: Args) => [...Args]) | undefined;
}

/** Any async function or method. */
export type AsyncMethod = (this: never, ...args: never[]) => Promise<unknown>;

/** What every policy and every pipeline can do: protect a call. A subclass says how, in `layer`. */
export abstract class Protection<Out = never> implements Policy<Out> {
  #run: Next<unknown> | undefined;

  /** This policy around `next`; see {@link Policy}. */
  abstract layer<T>(next: Next<T>): Next<T | Out>;

  /**
   * Calls `fn` under protection.
   *
   * @returns what `fn` returns, or what a fallback does.
   * @throws the signal's reason when it aborts, an error of a policy, else what `fn` throws.
   */
  execute<T>(fn: CallFunction<T>, options?: ExecuteOptions): Promise<Awaited<T> | Out> {
    const run = (this.#run ??= this.layer(start));
    const signal = options?.signal;
    const answer = signal === undefined ? begin(run, new Call(fn)) : follow(run, fn, signal);
    return answer as Promise<Awaited<T> | Out>;
  }

  /** As {@link execute}, but never rejects: the outcome tells. */
  tryExecute<T>(fn: CallFunction<T>, options?: ExecuteOptions): Promise<CallResult<Awaited<T> | Out>> {
    return this.execute(fn, options).then(succeeded, failed);
  }

  /**
   * The same function, protected: `this`, arguments, name and length are kept. An async function keeps its very type, unless
   * a fallback widens the result.
   */
  wrap<Method extends AsyncMethod>(this: Protection, fn: Method): Method;
  wrap<This, Args extends unknown[], T>(
    fn: (this: This, ...args: Args) => T | PromiseLike<T>,
    options?: WrapOptions<Args>,
  ): (this: This, ...args: Args) => Promise<Awaited<T> | Out>;
  wrap<This, Args extends unknown[], T>(
    fn: (this: This, ...args: Args) => T | PromiseLike<T>,
    { signal, pass }: WrapOptions<Args> = {},
  ): (this: This, ...args: Args) => Promise<Awaited<T> | Out> {
    const protect = (target: This, args: Args): Promise<Awaited<T> | Out> =>
      this.execute<T>((context) => fn.apply(target, pass === undefined ? args : pass(context, ...args)), {
        signal: signal?.(...args),
      });
    // Async, so that also what `signal` throws comes out of the promise.
    const wrapper = async function (this: This, ...args: Args): Promise<Awaited<T> | Out> {
      return protect(this, args);
    };
    return Object.defineProperties(wrapper, {
      name: { value: fn.name, configurable: true },
      length: { value: fn.length, configurable: true },
    });
  }
}

/** A policy of somebody else may throw where it should reject. */
function begin(run: Next<unknown>, call: Call): Promise<unknown> {
  try {
    return run(call);
  } catch (error) {
    return rejection(error);
  }
}

/** One listener on the caller's signal for as long as the call takes; an abort settles the call at once. */
function follow(run: Next<unknown>, fn: CallFunction<unknown>, signal: CallSignal): Promise<unknown> {
  if (signal.aborted) return rejection(signal.reason);
  return new Promise((resolve, reject) => {
    const call = new Call(fn, 1, undefined, undefined, signal);
    const abort = (): void => {
      signal.removeEventListener('abort', abort);
      // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors -- the caller's own reason
      reject(signal.reason);
      call.abort(signal.reason);
    };
    signal.addEventListener('abort', abort);
    begin(run, call).then(
      (value) => {
        signal.removeEventListener('abort', abort);
        if (call.aborted) discard(value);
        else resolve(value);
      },
      (error: unknown) => {
        signal.removeEventListener('abort', abort);
        // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors -- passed on as it was thrown
        reject(error);
      },
    );
  });
}

function succeeded<T>(value: T): CallResult<T> {
  return { ok: true, value };
}

function failed(error: unknown): CallResult<never> {
  return { ok: false, error };
}
