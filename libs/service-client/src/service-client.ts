import { Readable } from 'node:stream';
import type { CircuitBreakerOptions } from '@mesh/circuit-breaker';
import type { Strategy } from '@mesh/load-balancer';
import type { TraceContext } from '@mesh/trace-context';
import { fetch as undiciFetch, type Dispatcher, type RequestInit, type Response } from 'undici';
import { callContext, createCallContext, type ServiceDispatchOptions } from './call-context.ts';
import { CallTotals, type CallTotalsSnapshot } from './call-totals.ts';
import { isServiceName, type Discovery } from './discovery.ts';
import { NoInstanceError } from './errors.ts';
import { hasHeader } from './headers.ts';
import { Http1Transport } from './http1/http1-transport.ts';
import type { Observer } from './observer.ts';
import { durationMs, integer } from './options.ts';
import { readRules, usualRules, type CallPolicy } from './call-policy.ts';
import { retryParts, type RetryOptions } from './retry.ts';
import {
  ServicePools,
  type Balancing,
  type ServiceOptions,
  type ServicePoolOptions,
  type ServiceSnapshot,
} from './service-pool.ts';
import { ServiceResponse } from './service-response.ts';
import { Stack } from './stack.ts';
import { StackDispatcher } from './stack-dispatcher.ts';
import type { TlsOptions } from './tls-options.ts';
import type { Tracing } from './tracing.ts';
import type { Transport } from './transport.ts';
import { UndiciTransport } from './undici-transport.ts';

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
  /** What is different for single services, by name: limits, retry, hedge, circuits, strategy, balancing. */
  readonly services?: Readonly<Record<string, ServiceOptions>>;
  /** How instances are called whose metadata says `scheme: 'https'` (default: as Node does, certificates verified). */
  readonly tls?: TlsOptions;
  /** Whether HTTP/2 is spoken with instances that offer it over TLS (default false). */
  readonly allowH2?: boolean;
  /** Is told what the client does. */
  readonly observer?: Observer;
  /** Where spans of attempts go: `openTelemetry()` of `@mesh/service-client/opentelemetry` (default: nowhere). */
  readonly tracing?: Tracing;
  /** Whether answers say in `x-mesh-*` headers who gave them, at which attempt, after how long (default false: for development). */
  readonly debugHeaders?: boolean;
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
  /** Only instances whose metadata has these values may be asked, `version` included. */
  readonly where?: Readonly<Record<string, string>>;
  /** Class of the route: each instance has a circuit of its own for it. */
  readonly routeClass?: string;
  /** Limits and retries of this call, made once by `callPolicy()`. */
  readonly policy?: CallPolicy;
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
  readonly #close: (graceMs: number) => Promise<void>;
  readonly #pools: ServicePools;
  readonly #totals = new CallTotals();
  readonly #timeoutMs: number;
  readonly #maxBodyBytes: number;

  /** @throws RangeError naming an option that is out of range, and its value. */
  constructor(options: ServiceClientOptions) {
    this.#timeoutMs = durationMs('timeoutMs', options.timeoutMs ?? 30_000);
    this.#maxBodyBytes = integer('maxBodyBytes', options.maxBodyBytes ?? 10 * 1024 * 1024, 1);
    const { tls, allowH2 = false } = options;
    const connections = {
      connectTimeoutMs: durationMs('connectTimeoutMs', options.connectTimeoutMs ?? 2000),
      maxConnections: integer('maxConnections', options.maxConnections ?? 256, 1),
      tls,
    };
    // Undici for origins that are no services, and for HTTP/2.
    const general = new UndiciTransport({ ...connections, allowH2 });
    const transport = allowH2 ? general : new Http1Transport(connections);
    this.#close = async (graceMs) => {
      await Promise.all([transport.close(graceMs), general.close(graceMs)]);
    };
    this.#pools = new ServicePools(poolOptions(options, transport));
    const stack = new Stack({
      mesh: { discovery: options.discovery, pools: this.#pools },
      retry: retryParts({ ...options.retry, ...known({ maxServices: options.maxServices }) }),
      rules: readRules(
        known({
          attemptTimeoutMs: options.attemptTimeoutMs,
          bodyTimeoutMs: options.bodyTimeoutMs,
          retry: options.retry,
        }),
        usualRules,
      ),
      next: (call, handler) => general.dispatch(call, handler),
      timers: options.retry?.timers,
      observer: options.observer,
      tracing: options.tracing,
      debugHeaders: options.debugHeaders,
      totals: this.#totals,
    });
    this.dispatcher = new StackDispatcher(stack, this.#close);
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
    const { service, trace, key, prefer } = call;
    // Anything else would be an origin of its own and leave the mesh.
    if (!isServiceName(service)) throw new NoInstanceError(service);
    if (!call.path.startsWith('/'))
      throw new TypeError(`serviceClient: path must begin with '/', got ${call.path}`);
    const context = createCallContext({
      timeoutMs: call.timeoutMs ?? this.#pools.optionsOf(service)?.timeoutMs ?? this.#timeoutMs,
      ...known({ trace, key, prefer, where: call.where, routeClass: call.routeClass, policy: call.policy }),
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
    await this.#close(durationMs('graceMs', graceMs));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}

/** A {@link ServiceClient}. @throws RangeError naming an option that is out of range, and its value. */
export function createServiceClient(options: ServiceClientOptions): ServiceClient {
  return new ServiceClient(options);
}

type Known<T> = { [K in keyof T]?: Exclude<T[K], undefined> };

/** The fields that are not undefined. */
function known<T extends object>(fields: T): Known<T> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as Known<T>;
}

function poolOptions(options: ServiceClientOptions, transport: Transport): ServicePoolOptions {
  const { strategy, balancing, circuitBreaker, maxServices, services, retry, observer } = options;
  return {
    ...known({ strategy, balancing, circuitBreaker, maxServices, services, retryBudget: retry, observer }),
    transport,
  };
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
