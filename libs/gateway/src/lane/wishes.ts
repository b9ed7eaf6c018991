import { callPolicy, type CallPolicyOptions, type CallWishes } from '@mesh/service-client';
import type { Route } from '../routing/route-schema.ts';

/** What a route wishes of each of its calls, made once: the one place that knows the words of `createCallContext`. */
export function wishesOf(route: Route, where?: Readonly<Record<string, string>>): CallWishes {
  const options = policyOf(route);
  return {
    ...(Object.keys(options).length > 0 && { policy: callPolicy(options) }),
    ...(where !== undefined && { where }),
    // Its own circuits only where it has rules of its own for them: a class for every route would learn everything anew.
    ...(route.circuitBreaker && { routeClass: route.id }),
  };
}

/** Without what the route does not say: then the service's rules hold. */
function policyOf({ timeouts, retry, hedge, circuitBreaker }: Route): CallPolicyOptions {
  const said = {
    timeoutMs: timeouts?.totalMs,
    attemptTimeoutMs: timeouts?.attemptMs,
    retry: retry && present(retry),
    hedge: hedge && present(hedge),
    circuitBreaker: circuitBreaker ? present(circuitBreaker) : undefined,
  };
  return present(said) as CallPolicyOptions;
}

function present<T extends object>(object: T): T {
  return Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined)) as T;
}
