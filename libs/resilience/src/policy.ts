import type { Call } from './call.ts';

declare const answers: unique symbol;

/** What stands inside a layer: the next layer, or the protected function itself. It never throws, it rejects. */
export type Next<T> = (call: Call) => Promise<T>;

/**
 * One layer of a pipeline. `layer` is asked once for each pipeline, not once for each call, so what it returns keeps no
 * state of a call. `Out` is what the policy may answer in place of the function (a fallback's value).
 *
 * @example
 * // A policy of your own: count what passes.
 * const counted: Policy = { layer: (next) => (call) => { count++; return next(call); } };
 */
export interface Policy<Out = never> {
  layer<T>(next: Next<T>): Next<T | Out>;
  /** Only for types, where `Out` is read from. */
  readonly [answers]?: () => Out;
}

/** What a policy may answer in place of the function. */
export type OutOf<P> = P extends { readonly [answers]?: () => infer Out } ? Out : never;
