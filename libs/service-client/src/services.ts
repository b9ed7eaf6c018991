import type { Dispatcher } from 'undici';
import { readRules, usualRules } from './call-policy.ts';
import type { Discovery } from './discovery.ts';
import { ServicePools, type ServicePoolOptions } from './service-pool.ts';
import { Stack } from './stack.ts';

/** Options of {@link services}. */
export interface ServicesOptions extends ServicePoolOptions {
  /** Longest silence of one attempt before its response headers, in milliseconds (default 5000; 0 = no limit). */
  readonly attemptTimeoutMs?: number;
  /** Longest silence between two chunks of a response body, in milliseconds (default 30000; 0 = no limit). */
  readonly bodyTimeoutMs?: number;
  /** State to share or to look at from outside; made from the other options when left out. */
  readonly pools?: ServicePools;
}

/**
 * THE interceptor: `http://<service>/path` goes to a living instance of that service. Look-up, pick and the breaker of the
 * instance are one step, because a breaker that the picker cannot see makes calls fail fast instead of going elsewhere.
 *
 * A service is a host of one lower-case label without a port (not `localhost`); every other origin passes untouched.
 * It settles the instance's breaker at the response headers (5xx, resets and timeouts are failures, an abort by the
 * caller is nobody's unless it is an `AbortSignal.timeout()`) and its load at the end of the body, and sends the trace headers of a child span.
 *
 * @throws RangeError when an option is out of range. A call ends with {@link NoInstanceError} when nothing is registered,
 * with UpstreamError or TimeoutError when the instance is at fault, with the look-up's own error when that failed.
 */
export function services(
  discovery: Discovery,
  options: ServicesOptions = {},
): Dispatcher.DispatcherComposeInterceptor {
  const { attemptTimeoutMs, bodyTimeoutMs } = options;
  const rules = readRules(
    {
      ...(attemptTimeoutMs !== undefined && { attemptTimeoutMs }),
      ...(bodyTimeoutMs !== undefined && { bodyTimeoutMs }),
    },
    usualRules,
  );
  const pools = options.pools ?? new ServicePools(options);
  return (next) => {
    const stack = new Stack({ mesh: { discovery, pools }, rules, next });
    return (call, handler) => stack.dispatch(call, handler);
  };
}
