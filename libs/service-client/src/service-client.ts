import { Readable } from 'node:stream';
import type { CircuitBreakerOptions } from '@mesh/circuit-breaker';
import type { Strategy } from '@mesh/load-balancer';
import type { TraceContext } from '@mesh/trace-context';
import { fetch as undiciFetch, type Dispatcher, type RequestInit, type Response } from 'undici';
import { callContext, createCallContext, type ServiceDispatchOptions } from './call-context.ts';
import { CallTotals, type CallTotalsSnapshot } from './call-totals.ts';
import { Connections } from './connections.ts';
import { isServiceName, type Discovery } from './discovery.ts';
import { NoInstanceError } from './errors.ts';
import { hasHeader } from './headers.ts';
import { legacyHandlers } from './legacy-handlers.ts';
import { durationMs, integer } from './options.ts';
import { retry, type RetryOptions } from './retry.ts';
import { ServicePools, type Balancing, type ServiceSnapshot } from './service-pool.ts';
import { ServiceResponse } from './service-response.ts';
import { services } from './services.ts';

/** Options of a {@link ServiceClient}. */
export interface ServiceClientOptions {
  /** Where the instances come from: a `DiscoveryClient`, or any object with `peek` and `resolve`. */
  readonly discovery: Discovery;
  /** How an instance is picked: a name of `@mesh/load-balancer` or a policy of your own (default `'adaptive'`). */
  readonly strategy?: Strategy;
  /** Slow start, ejection, zones and the like, see `@mesh/load-balancer` (default: none of them). */
  readonly balancing?: Balancing;
  /** Options of the breaker that each instance gets for itself (default: 3 failures in 30 s, 30 s open). */
  readonly circuitBreaker?: CircuitBreakerOptions;
  /** Options of the retry; `{ maxRetries: 0 }` turns it off. */
  readonly retry?: Omit<RetryOptions, 'observe'>;
  /** Longest silence of one attempt before its response headers, in milliseconds (default 5000; 0 = no limit). */
  readonly attemptTimeoutMs?: number;
  /** Longest time to connect to an instance, in milliseconds (default 2000). */
  readonly connectTimeoutMs?: number;
  /** Longest silence between two chunks of a response body, in milliseconds (default 30000; 0 = no limit). */
  readonly bodyTimeoutMs?: number;
  /** Default deadline of `request` and `json` over all attempts and the body, in milliseconds (default 30000; 0 = none). */
  readonly timeoutMs?: number;
  /** Longest body that `text()` and `json()` hold in memory, in bytes (default 10 MiB). */
  readonly maxBodyBytes?: number;
  /** Most connections to one instance (default 256); further requests wait for one. */
  readonly maxConnections?: number;
  /** Most services remembered at a time (default 1000). */
  readonly maxServices?: number;
}

/** One call of a service. */
export interface ServiceCall {
  /** Name of the service. */
  readonly service: string;
  /** Path on the instance, beginning with `/`. */
  readonly path: string;
  /** Default GET. */
  readonly method?: string;
  /** Added to the path as a query string. */
  readonly query?: Readonly<Record<string, unknown>>;
  readonly headers?: Readonly<Record<string, string>>;
  /** Text and bytes go as they are, streams too (but cannot be sent twice), any other object as JSON. */
  readonly body?: string | Uint8Array | Readable | object;
  /** The span that this call belongs to (default: read from `headers`, else a new trace). */
  readonly trace?: TraceContext;
  /** Ends the call when aborted; reaches the instance and blames nobody. */
  readonly signal?: AbortSignal;
  /** Deadline over all attempts and the body in milliseconds (default: the client's; 0 = none). */
  readonly timeoutMs?: number;
  /** What hashing strategies (`maglev` ...) go by: calls with the same key go to the same instance. */
  readonly key?: string;
  /** Id of the instance that is asked when it can be: a sticky session. */
  readonly prefer?: string;
}

/** Parsed JSON and where it came from. */
export interface JsonAnswer<T> {
  readonly data: T;
  readonly status: number;
  /** Id of the instance that answered. */
  readonly instance: string;
  /** Instances that were asked, repetitions included; 1 = no retry. */
  readonly attempts: number;
}

/** What a client has done and how it sees its services: plain data for `/metrics` and `/health`. */
export interface ServiceClientSnapshot {
  readonly totals: CallTotalsSnapshot;
  readonly services: Readonly<Record<string, ServiceSnapshot>>;
}

/** Calls services by name. */
export class ServiceClient {
  /** The whole path as an undici dispatcher, for `undici.request`, `fetch`, proxies and SDKs; serves fixed origins too. */
  readonly dispatcher: Dispatcher;
  readonly #connections: Connections;
  readonly #pools: ServicePools;
  readonly #totals = new CallTotals();
  readonly #timeoutMs: number;
  readonly #maxBodyBytes: number;

  /** @throws RangeError naming an option that is out of range, and its value. */
  constructor(options: ServiceClientOptions) {
    const { discovery, strategy, balancing, circuitBreaker, maxServices } = options;
    const { attemptTimeoutMs, bodyTimeoutMs } = options;
    this.#timeoutMs = durationMs('timeoutMs', options.timeoutMs ?? 30_000);
    this.#maxBodyBytes = integer('maxBodyBytes', options.maxBodyBytes ?? 10 * 1024 * 1024, 1);
    this.#pools = new ServicePools({
      ...(strategy !== undefined && { strategy }),
      ...(balancing !== undefined && { balancing }),
      ...(circuitBreaker !== undefined && { circuitBreaker }),
      ...(maxServices !== undefined && { maxServices }),
    });

    // The path of a request, from the wire to the caller. undici composes from the inside out: written last is outermost.
    this.#connections = new Connections({
      // Innermost: keep-alive connections, a pool for each instance. The time to connect is known here only.
      connectTimeoutMs: durationMs('connectTimeoutMs', options.connectTimeoutMs ?? 2000),
      maxConnections: integer('maxConnections', options.maxConnections ?? 256, 1),
    });
    this.dispatcher = this.#connections.agent.compose(
      // Above the pools, so that it can name the origin; below the retry, so that every attempt is a new pick, has a permit,
      // a limit and a span of its own, and is counted against the instance that it went to.
      services(discovery, {
        pools: this.#pools,
        ...(attemptTimeoutMs !== undefined && { attemptTimeoutMs }),
        ...(bodyTimeoutMs !== undefined && { bodyTimeoutMs }),
      }),
      // Above the pick, or it would hammer the instance that has just failed. The only retry on the path, so attempts never
      // multiply; it holds the deadline and the controller of the whole call, and therefore counts calls, not attempts.
      retry({
        ...options.retry,
        ...(maxServices !== undefined && { maxServices }),
        observe: (result) => {
          this.#totals.add(result);
        },
      }),
      // Outermost: only translates between handler generations, so that nothing below has to know of the old one.
      legacyHandlers,
    );
  }

  /**
   * `fetch` for `http://<service>/path`: undici's own, because a dispatcher and its fetch belong to the same undici. Bodies
   * are streams to it, so a body that was sent is never sent again; use {@link request} for retries of PUT.
   */
  fetch(input: string | URL, init: RequestInit = {}): Promise<Response> {
    return undiciFetch(input, { ...init, dispatcher: this.dispatcher });
  }

  /**
   * Calls a service and gives its answer, whatever the status. Read the body to the end.
   *
   * @throws NoInstanceError, TimeoutError, UpstreamError (connection), the reason of an abort, TypeError for a path that does
   * not begin with `/`.
   */
  async request(call: ServiceCall): Promise<ServiceResponse> {
    const { service, trace, key, prefer, timeoutMs = this.#timeoutMs } = call;
    // Anything else would be an origin of its own and leave the mesh.
    if (!isServiceName(service)) throw new NoInstanceError(service);
    if (!call.path.startsWith('/'))
      throw new TypeError(`serviceClient: path must begin with '/', got ${call.path}`);
    const context = createCallContext({
      timeoutMs,
      ...(trace !== undefined && { trace }),
      ...(key !== undefined && { key }),
      ...(prefer !== undefined && { prefer }),
    });
    const data = await this.dispatcher.request(readCall(call, context));
    return new ServiceResponse(data, { service, context, maxBodyBytes: this.#maxBodyBytes });
  }

  /**
   * Calls a service and parses its JSON.
   *
   * @throws what {@link request} throws, and UpstreamError with `status` and `problem` for an answer of 400 and above.
   */
  async json<T = unknown>(call: ServiceCall): Promise<JsonAnswer<T>> {
    const accept = hasHeader(call.headers, 'accept') ? {} : { accept: 'application/json' };
    const response = await this.request({ ...call, headers: { ...accept, ...call.headers } });
    if (response.status >= 400) throw await response.toError();
    const { status, instance, attempts } = response;
    return { data: await response.json<T>(), status, instance, attempts };
  }

  /** What the client has done and how it sees its services; frozen plain data. */
  getSnapshot(): ServiceClientSnapshot {
    return Object.freeze({ totals: this.#totals.getSnapshot(), services: this.#pools.getSnapshot() });
  }

  /** Takes no more calls and makes no more retries, waits for requests in flight for at most `graceMs` (default 5000 ms), then cuts them off. */
  async close(graceMs = 5000): Promise<void> {
    await this.#connections.close(durationMs('graceMs', graceMs));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}

/** A {@link ServiceClient}. @throws RangeError naming an option that is out of range, and its value. */
export function createServiceClient(options: ServiceClientOptions): ServiceClient {
  return new ServiceClient(options);
}

function readCall(
  call: ServiceCall,
  context: ReturnType<typeof createCallContext>,
): ServiceDispatchOptions & Dispatcher.RequestOptions {
  const { service, path, method = 'GET', query, headers = {}, body, signal } = call;
  const raw =
    body === undefined || typeof body === 'string' || body instanceof Uint8Array || body instanceof Readable;
  const typed = raw || hasHeader(headers, 'content-type');
  return {
    origin: `http://${service}`,
    path,
    method,
    headers: typed ? headers : { 'content-type': 'application/json', ...headers },
    body: raw ? (body ?? null) : JSON.stringify(body),
    ...(query !== undefined && { query }),
    ...(signal !== undefined && { signal }),
    [callContext]: context,
  };
}
