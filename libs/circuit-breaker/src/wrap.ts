import type { CallSignal } from './abort-signal.ts';

/** Options of `wrap` and `protect`. */
export interface WrapOptions<Args extends unknown[], F = never> {
  /** Answers instead of a failed or refused call; it gets the error and the arguments of the call. */
  readonly fallback?: ((error: unknown, ...args: Args) => F | PromiseLike<F>) | undefined;
  /** Finds the caller's signal among the arguments, so that an abort says nothing about the circuit. */
  readonly signal?: ((...args: Args) => CallSignal | undefined) | undefined;
}

/** Any async function or method. */
export type AsyncMethod = (this: never, ...args: never[]) => Promise<unknown>;

/** A standard decorator of async methods, whose first parameters are `Known`; the fallback's type must be one that the method may return. */
export type MethodDecorator<F, Known extends unknown[] = unknown[]> = <
  This,
  Args extends [...Known, ...unknown[]],
  T,
>(
  method: (this: This, ...args: Args) => Promise<T>,
  context: ClassMethodDecoratorContext<This, (this: This, ...args: Args) => Promise<T>>,
) => (this: This, ...args: Args) => Promise<Awaited<T> | Awaited<F>>;

/** The method that is decorated. @throws TypeError for a legacy decorator, which passes a property key and would fail far from its cause. */
export function methodOf<Method>(method: Method, context: { readonly kind: string }): Method {
  if ((context as { readonly kind: string } | undefined)?.kind === 'method') return method;
  throw new TypeError('circuitBreaker: protect is a standard decorator for methods');
}

/** Gives `wrapper` the name and the length of the function that it stands for. */
export function disguise<W extends object>(
  wrapper: W,
  fn: { readonly name: string; readonly length: number },
): W {
  return Object.defineProperties(wrapper, {
    name: { value: fn.name, configurable: true },
    length: { value: fn.length, configurable: true },
  });
}
