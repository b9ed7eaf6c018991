import type { Next, OutOf, Policy } from './policy.ts';
import { Protection } from './protection.ts';

/** Policies in one: the first is the outermost. */
export class Pipeline<Out = never> extends Protection<Out> {
  readonly #policies: readonly Policy<unknown>[];

  /** @throws TypeError when one of `policies` is none. */
  constructor(policies: readonly Policy<unknown>[]) {
    super();
    this.#policies = [...policies];
    for (const [index, policy] of this.#policies.entries()) {
      if (typeof (policy as Partial<Policy> | undefined)?.layer !== 'function') {
        throw new TypeError(`pipeline: argument ${index + 1} must be a policy, with a method layer`);
      }
    }
  }

  layer<T>(next: Next<T>): Next<T | Out> {
    return this.#policies.reduceRight<Next<unknown>>((inner, policy) => policy.layer(inner), next) as Next<
      T | Out
    >;
  }
}

/**
 * Composes policies, the outermost first, into one function that is made once. A pipeline is a policy too.
 *
 * @throws TypeError when an argument is not a policy.
 * @example
 * const users = pipeline(fallback([]), retry(), timeLimiter({ timeoutMs: 1000 }));
 * const list = await users.execute(({ signal }) => fetchUsers(signal), { signal });
 */
export function pipeline<Policies extends readonly Policy<unknown>[]>(
  ...policies: Policies
): Pipeline<OutOf<Policies[number]>> {
  return new Pipeline(policies);
}
