import { childTrace } from '@mesh/trace-context';
import type { Dispatcher } from 'undici';
import { detached } from './call-controller.ts';
import { contextOf, createCallContext, type ServiceDispatchOptions } from './call-context.ts';
import { serviceOf, type Discovery, type Resolution } from './discovery.ts';
import { toError } from './error-kind.ts';
import { NoInstanceError } from './errors.ts';
import { traceOf, tracedHeaders } from './headers.ts';
import { InstanceHandler } from './instance-handler.ts';
import { durationMs } from './options.ts';
import { ServicePools, type ServicePoolOptions } from './service-pool.ts';
import type { Dispatch, Handler } from './undici-types.ts';

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
  const attemptTimeoutMs = durationMs('attemptTimeoutMs', options.attemptTimeoutMs ?? 5000);
  const bodyTimeout = durationMs('bodyTimeoutMs', options.bodyTimeoutMs ?? 30_000);
  const lookupTimeoutMs = attemptTimeoutMs === 0 ? 30_000 : attemptTimeoutMs;
  const pools = options.pools ?? new ServicePools(options);

  const send = (request: PendingCall, { instances }: Resolution): boolean => {
    const { service, call, handler, dispatch } = request;
    const timeoutMs = durationMs('headersTimeout', call.headersTimeout ?? attemptTimeoutMs);
    const context = contextOf(call) ?? createCallContext();
    context.trace ??= traceOf(call.headers);
    const headers = tracedHeaders(call.headers, childTrace(context.trace));
    const admission = pools.update(service, instances)?.admit(context);
    if (admission === undefined) return refuse(handler, new NoInstanceError(service));
    const guarded = new InstanceHandler(handler, admission, { service, timeoutMs });
    const attempt: ServiceDispatchOptions = {
      ...call,
      origin: admission.origin,
      headers,
      // The handler keeps this limit itself: undici's own timers are up to a second late and begin after the connect.
      headersTimeout: 0,
      bodyTimeout: call.bodyTimeout ?? bodyTimeout,
    };
    try {
      return dispatch(attempt, guarded);
    } catch (error) {
      guarded.onResponseError(detached, toError(error));
      return true;
    }
  };

  return (dispatch) => (call: ServiceDispatchOptions, handler) => {
    const service = serviceOf(call.origin);
    if (service === undefined) return dispatch(call, handler);
    const request = { service, call, handler, dispatch };
    const known = discovery.peek(service);
    if (known !== undefined) return send(request, known);
    const signal = AbortSignal.timeout(lookupTimeoutMs);
    discovery
      .resolve(service, { signal })
      .then((resolution) => send(request, resolution))
      .catch((error: unknown) => refuse(handler, error));
    return true;
  };
}

interface PendingCall {
  readonly service: string;
  readonly call: ServiceDispatchOptions;
  readonly handler: Handler;
  readonly dispatch: Dispatch;
}

function refuse(handler: Handler, error: unknown): true {
  handler.onResponseError?.(detached, toError(error));
  return true;
}
