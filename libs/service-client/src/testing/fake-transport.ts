import type { VirtualTime } from '@mesh/resilience/testing';
import { callContext, createCallContext, type CallWishes } from '../call-context.ts';
import { readRules, usualRules, type CallPolicyOptions } from '../call-policy.ts';
import type { ServiceInstance } from '../discovery.ts';
import type { AttemptResult, CallResult, Observer } from '../observer.ts';
import { retryParts, type RetryOptions } from '../retry.ts';
import { ServicePools, type ServicePoolOptions, type ServiceSnapshot } from '../service-pool.ts';
import { Stack } from '../stack.ts';
import type {
  Address,
  Fields,
  Flow,
  Handler,
  Peer,
  Sink,
  Transport,
  TransportRequest,
} from '../transport.ts';
import { StaticDiscovery } from './upstream.ts';

/** One request that was sent; the test plays the instance. */
export class Exchange implements Flow {
  aborted = false;
  paused = false;
  reason: Error | null = null;
  rawHeaders: string[] = [];
  isOver = false;
  readonly address: Address;
  readonly request: TransportRequest;
  readonly fresh: boolean;
  readonly #sink: Sink;

  constructor(address: Address, request: TransportRequest, sink: Sink, fresh: boolean) {
    this.address = address;
    this.request = request;
    this.fresh = fresh;
    this.#sink = sink;
  }

  header(name: string): string | undefined {
    const at = this.request.headers.indexOf(name);
    return at < 0 ? undefined : this.request.headers[at + 1];
  }

  start(): void {
    if (this.isOver) return;
    this.#sink.onRequestStart(this, null);
    if (!this.aborted) this.#sink.onRequestSent();
  }

  head(status: number, headers: Fields = {}): void {
    if (this.isOver) return;
    this.#sink.onResponseStarted();
    this.#sink.onResponseStart(this, status, headers, '');
  }

  data(text = 'x'): void {
    if (!this.isOver) this.#sink.onResponseData(this, Buffer.from(text));
  }

  end(): void {
    if (this.isOver) return;
    this.isOver = true;
    this.#sink.onResponseEnd(this, {});
  }

  answer(status: number, headers: Fields = {}): void {
    this.head(status, headers);
    this.end();
  }

  fail(error: Error): void {
    if (this.isOver) return;
    this.isOver = true;
    this.#sink.onResponseError(this, error);
  }

  abort(reason: Error): void {
    if (this.aborted) return;
    this.aborted = true;
    this.reason = reason;
    this.fail(reason);
  }

  pause(): void {
    this.paused = true;
  }

  resume(): void {
    this.paused = false;
  }
}

/** Connections that a test plays; each request starts at once unless `holds` is set. */
export class FakeTransport implements Transport {
  readonly sent: Exchange[] = [];
  readonly users = new Map<number, number>();
  readonly reused = new WeakSet<Error>();
  holds = false;

  open(address: Address): Peer {
    this.users.set(address.port, (this.users.get(address.port) ?? 0) + 1);
    return {
      send: (request, sink, fresh) => {
        const exchange = new Exchange(address, request, sink, fresh);
        this.sent.push(exchange);
        if (!this.holds) exchange.start();
      },
      wasReused: (error) => this.reused.has(error),
      release: () => this.users.set(address.port, (this.users.get(address.port) ?? 0) - 1),
    };
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  /** The newest request. */
  get last(): Exchange {
    const last = this.sent.at(-1);
    if (last === undefined) throw new Error('nothing was sent');
    return last;
  }
}

/** The caller's side: everything it is told, in order. */
export class Listener implements Handler {
  readonly events: string[] = [];
  flow: Flow | undefined;
  error: Error | undefined;

  onRequestStart(flow: Flow): void {
    this.events.push('start');
    this.flow = flow;
  }
  onResponseStart(_: Flow, status: number): void {
    this.events.push(String(status));
  }
  onResponseData(): void {
    // The bytes do not matter here.
  }
  onResponseEnd(): void {
    this.events.push('end');
  }
  onResponseError(_: Flow, error: Error): void {
    this.events.push('error');
    this.error = error;
  }
}

export interface SceneOptions {
  readonly instances?: readonly ServiceInstance[];
  readonly pools?: Partial<ServicePoolOptions>;
  readonly rules?: CallPolicyOptions;
  readonly retry?: RetryOptions;
  readonly observer?: Observer;
}

export const abc = ['a', 'b', 'c'].map((id, at) => ({ id, host: '127.0.0.1', port: 4000 + at }));

/** A stack in virtual time over fake connections. */
export class Scene {
  readonly time: VirtualTime;
  readonly transport = new FakeTransport();
  readonly discovery: StaticDiscovery;
  readonly pools: ServicePools;
  readonly stack: Stack;
  readonly attempts: AttemptResult[] = [];
  readonly calls: CallResult[] = [];
  readonly contexts: { readonly instance?: string | undefined; readonly attempts: number }[] = [];

  constructor(time: VirtualTime, options: SceneOptions = {}) {
    const { instances = abc, pools, rules = {}, retry = {}, observer } = options;
    this.time = time;
    this.discovery = new StaticDiscovery(instances);
    this.pools = new ServicePools({
      ...{ strategy: 'round-robin', random: () => 0, clock: time, transport: this.transport },
      retryBudget: { clock: time },
      ...pools,
    });
    this.stack = new Stack({
      mesh: { discovery: this.discovery, pools: this.pools },
      rules: readRules({ retry, ...rules }, usualRules),
      retry: retryParts({ random: () => 0.5, clock: time, ...retry }),
      ...{ timers: time, clock: time, next: () => true },
      observer: {
        attemptEnded: (result) => this.attempts.push(result),
        callEnded: (result) => this.calls.push(result),
        ...observer,
      },
    });
  }

  call(
    wishes: CallWishes = {},
    more: { method?: string; body?: string; headers?: string[]; bodyTimeout?: number } = {},
  ): Listener {
    const listener = new Listener();
    const context = createCallContext(wishes);
    this.contexts.push(context);
    this.stack.dispatch(
      { origin: 'http://user-service', path: '/', method: 'GET', [callContext]: context, ...more },
      listener,
    );
    return listener;
  }

  get snapshot(): ServiceSnapshot | undefined {
    return this.pools.getSnapshot()['user-service'];
  }

  get inflight(): number {
    return this.snapshot?.instances.reduce((sum, { inflight }) => sum + inflight, 0) ?? 0;
  }
}
