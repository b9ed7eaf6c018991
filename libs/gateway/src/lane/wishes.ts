import type { CallWishes } from '@mesh/service-client';
import type { Route } from '../routing/route-schema.ts';

/** What a call is to be like, as far as one service client understands it and the next one more. */
export type RouteWishes = CallWishes & { where?: Readonly<Record<string, string>>; routeClass?: string };

/**
 * What a route wishes of each of its calls; the one place that knows the words of `createCallContext`. To be switched on when the client
 * has `callPolicy`: `policy: callPolicy({ timeoutMs, attemptTimeoutMs, bodyTimeoutMs: 0, retry, hedge, circuitBreaker })`, made here once.
 */
export function wishesOf(route: Route, where?: Readonly<Record<string, string>>): RouteWishes {
  const totalMs = route.timeouts?.totalMs ?? 0;
  return {
    ...(totalMs > 0 && { timeoutMs: totalMs }),
    ...(where !== undefined && { where }),
    // Its own circuits only where it has rules of its own for them: a class for every route would learn everything anew.
    ...(route.circuitBreaker && { routeClass: route.id }),
  };
}
