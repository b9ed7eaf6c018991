import type { Call, CallContext, CallResult } from './call.ts';
import { discard } from './dispose.ts';
import { Events, type Fault } from './events.ts';
import { judge, type Handle } from './judge.ts';
import type { Next } from './policy.ts';
import { Protection } from './protection.ts';
import { withCause } from './with-cause.ts';

/** Options of a fallback. */
export interface FallbackOptions {
  /** Which outcomes are replaced, values too. Default every error. Never asked once the caller has given up. */
  readonly handle?: Handle;
}

/** What a fallback tells, by event name. */
export interface FallbackEvents {
  /** The outcome `result` is replaced. */
  fallback: { readonly result: CallResult };
  fault: Fault;
}

/** Answers in place of a failed call. `error` is undefined where a value is replaced; `result` tells both apart. */
export type FallbackFunction<B> = (
  error: unknown,
  context: CallContext & { readonly result: CallResult },
) => B | PromiseLike<B>;

const usual: Handle = (result) => !result.ok;

/** Answers in place of a failed call; made by {@link fallback}. */
export class Fallback<B> extends Protection<B> {
  readonly #answer: FallbackFunction<B>;
  readonly #handle: Handle | undefined;
  readonly #events = new Events<FallbackEvents>();

  constructor(answer: FallbackFunction<B>, { handle }: FallbackOptions = {}) {
    super();
    this.#answer = answer;
    this.#handle = handle;
  }

  /** Listens to one kind of event. @returns the way to stop. */
  on<K extends keyof FallbackEvents>(type: K, listener: (event: FallbackEvents[K]) => unknown): () => void {
    return this.#events.on(type, listener);
  }

  layer<T>(next: Next<T>): Next<T | B> {
    const handle = this.#handle;
    return (call) => {
      const accept = handle && ((value: T): T | Promise<T | B> => this.#accept(call, value));
      return next(call).then<T | B, B>(accept, (error: unknown) => {
        const result = { ok: false, error } as const;
        if (call.aborted || !this.#handles(result)) throw error;
        return this.#replace(call, result);
      });
    };
  }

  #accept<T>(call: Call, value: T): T | Promise<T | B> {
    const result = { ok: true, value } as const;
    return call.aborted || !this.#handles(result) ? value : this.#replace(call, result);
  }

  #handles(result: CallResult): boolean {
    return judge(this.#handle, usual, result, this.#events);
  }

  /** If the fallback throws, its error carries the primary one as its cause, so that neither is lost. */
  async #replace(call: Call, result: CallResult): Promise<B> {
    if (this.#events.active) this.#events.emit('fallback', { result });
    const { attempt, deadline } = call;
    const context = {
      attempt,
      deadline,
      result,
      get signal() {
        return call.signal;
      },
    };
    try {
      return await this.#answer(result.ok ? undefined : result.error, context);
    } catch (error) {
      throw result.ok ? error : withCause(error, result.error);
    } finally {
      if (result.ok) discard(result.value);
    }
  }
}

/**
 * Answers in place of a failed call, by a value or a function; several in one pipeline are a chain, asked from the innermost on. The
 * result of the pipeline is widened by the type of the answer. A caller that has given up gets no fallback.
 *
 * @example
 * const users = pipeline(fallback([]), fallback(() => readCache()), timeLimiter({ timeoutMs: 500 }));
 */
export function fallback<B>(answer: FallbackFunction<B>, options?: FallbackOptions): Fallback<B>;
export function fallback<B>(
  // eslint-disable-next-line @typescript-eslint/unified-signatures -- in one signature a function would be taken for the value
  answer: B extends (...args: never[]) => unknown ? never : B,
  options?: FallbackOptions,
): Fallback<B>;
export function fallback<B>(answer: B | FallbackFunction<B>, options?: FallbackOptions): Fallback<B> {
  return new Fallback(typeof answer === 'function' ? (answer as FallbackFunction<B>) : () => answer, options);
}
