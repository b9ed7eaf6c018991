import { appendChild, startTrace } from '@mesh/trace-context';
import { platformTimers, RetryBudget, type Timers } from '@mesh/resilience';
import { LRUCache } from 'lru-cache';
import type { Dispatcher } from 'undici';
import type { Attempt } from './attempt.ts';
import { Call } from './call.ts';
import {
  callContext,
  contextOf,
  createCallContext,
  type CallContext,
  type ServiceDispatchOptions,
} from './call-context.ts';
import type { CallRules } from './call-policy.ts';
import type { CallTotals } from './call-totals.ts';
import { serviceOf, type Discovery, type Resolution } from './discovery.ts';
import { errorKind, toError } from './error-kind.ts';
import { NoInstanceError } from './errors.ts';
import { EventClock } from './event-clock.ts';
import { flatPairs, readHeaders, timeLeftHeader } from './headers.ts';
import { durationMs } from './options.ts';
import { tell, tellAttempt, type Observer } from './observer.ts';
import type { ServicePool, ServicePools } from './service-pool.ts';
import { TimerWheel } from './timer-wheel.ts';
import type { Tracing } from './tracing.ts';
import type { Handler, TransportRequest } from './transport.ts';

type Dispatch = Dispatcher.Dispatch;

/** How a stack tries again. */
export interface RetryParts {
  readonly random: () => number;
  /** The budget of a fixed origin; services have their own. */
  readonly makeBudget: () => RetryBudget;
  /** Most origins whose budgets are remembered. */
  readonly maxOrigins: number;
}

/** What a stack is made of; a part that is missing is a step that is left out. */
export interface StackParts {
  /** Look-up, pick and circuits. Without them every origin is a fixed one. */
  readonly mesh?: { readonly discovery: Discovery; readonly pools: ServicePools };
  /** Retries, hedges and their budget. Without them a call is one attempt. */
  readonly retry?: RetryParts;
  /** What holds for calls that say nothing. */
  readonly rules: CallRules;
  /** Where fixed origins go, and requests to instances that have no connections of their own. */
  readonly next: Dispatch;
  readonly timers?: Timers | undefined;
  readonly clock?: { now(): number } | undefined;
  readonly observer?: Observer | undefined;
  /** Where spans of attempts go. */
  readonly tracing?: Tracing | undefined;
  /** Whether answers say in `x-mesh-*` headers what was done for them. */
  readonly debugHeaders?: boolean | undefined;
  /** Counts all calls. */
  readonly totals?: CallTotals;
}

/** Most origins whose names are remembered. */
const maxNames = 1000;

/**
 * The whole client. This is the path of a call, and why each step is where it is:
 *
 * ```
 *   call      1 name         what does the origin mean? Before all else: it decides which rules hold.
 *             2 rules        call over service over client. Before the clock starts: they say how long the call may take.
 *             3 deadline     over everything below, look-up, back-off and body included, or it would not be one.
 *             4 retry        above the pick, or it would hammer the instance that has just failed; the only one, so attempts never multiply.
 *   attempt   5 look-up      for every attempt anew: an instance may have come or gone during the back-off.
 *             6 pick         balancer and circuits are ONE step: a circuit that the balancer cannot see refuses calls that could go elsewhere.
 *             7 limit        of the attempt: below the pick, so that silence is the fault of the instance that was picked.
 *             8 trace        below the retry: every attempt is a span of its own.
 *             9 peer         connections of that very instance, found without a look-up by name.
 * ```
 *
 * On the way back the attempt settles the circuit at the head, because the verdict is known then, and gives the load back at the end of the body,
 * because until then the instance is at work.
 */
export class Stack {
  readonly clock: EventClock;
  readonly timers: Timers;
  readonly wheel: TimerWheel;
  readonly random: () => number;
  readonly debugHeaders: boolean;
  readonly #parts: StackParts;
  readonly #names = new Map<string, string | undefined>();
  readonly #budgets: LRUCache<string, RetryBudget>;

  constructor(parts: StackParts) {
    const { mesh, retry, timers = platformTimers, clock = performance } = parts;
    this.#parts = parts;
    this.clock = mesh?.pools.clock ?? new EventClock(clock);
    this.timers = timers;
    this.wheel = new TimerWheel({ now: () => this.clock.read() }, timers);
    this.random = retry?.random ?? Math.random;
    this.debugHeaders = parts.debugHeaders ?? false;
    this.#budgets = new LRUCache({
      max: retry?.maxOrigins ?? 1,
      memoMethod: () => retry?.makeBudget() ?? new RetryBudget(),
    });
  }

  /** Whether it tries again by itself. */
  get retries(): boolean {
    return this.#parts.retry !== undefined;
  }

  /** undici's `dispatch`. @throws RangeError for a `headersTimeout` that is out of range. */
  dispatch(options: ServiceDispatchOptions, handler: Handler): boolean {
    const service = this.#serviceOf(options.origin);
    const { mesh } = this.#parts;
    if (service === undefined || mesh === undefined) return this.#dispatchFixed(options, handler);
    if (typeof options.headersTimeout === 'number') durationMs('headersTimeout', options.headersTimeout);
    if (typeof options.bodyTimeout === 'number') durationMs('bodyTimeout', options.bodyTimeout);
    const context = contextOf(options) ?? createCallContext();
    const pool = mesh.pools.get(service);
    const rules = this.#rulesOf(pool, context);
    const headers = readHeaders(options.headers);
    context.trace ??= headers.trace ?? this.#parts.tracing?.current() ?? startTrace();
    if (this.#parts.retry !== undefined) pool?.budget.deposit();
    this.#begin(
      new Call(this, { options, handler, context, rules, headers, pool, name: service, isService: true }),
    );
    return true;
  }

  /** Sends an attempt on its way. */
  send(call: Call, attempt: Attempt, fresh: boolean): void {
    const { mesh, next } = this.#parts;
    if (mesh === undefined || !call.isService) {
      const headers = call.headers.pairs as string[];
      next({ ...call.options, headers, [callContext]: call.context } as ServiceDispatchOptions, attempt);
      return;
    }
    const known = mesh.discovery.peek(call.name);
    if (known === undefined) this.#lookUp(mesh.discovery, call, attempt, fresh);
    else this.#sendTo(known, call, attempt, fresh);
  }

  /** Takes one extra attempt out of the budget of the call's service. */
  withdraw(call: Call): boolean {
    return (call.pool?.budget ?? this.#budgets.memo(call.name)).tryWithdraw();
  }

  /** Whether another instance is left for the call. */
  hasOthers({ isService, pool, context }: Call): boolean {
    return isService ? pool?.hasOthers(context) === true : context.othersLeft === true;
  }

  attemptEnded(call: Call, attempt: Attempt, error: Error | undefined): void {
    const { observer } = this.#parts;
    if (observer?.attemptEnded === undefined || attempt.guarded === undefined) return;
    tellAttempt(observer, call, attempt, error);
  }

  retried(call: Call, delayMs: number): void {
    if (call.pool !== undefined) call.pool.figures.retries += 1;
    const { observer } = this.#parts;
    if (observer?.retried === undefined) return;
    tell(() =>
      observer.retried?.({
        service: call.name,
        instance: call.context.instance,
        retries: call.retries,
        delayMs,
      }),
    );
  }

  hedged(call: Call): void {
    if (call.pool !== undefined) call.pool.figures.hedges += 1;
    const { observer } = this.#parts;
    if (observer?.hedged === undefined) return;
    tell(() => observer.hedged?.({ service: call.name, instance: call.context.instance }));
  }

  rescued(call: Call): void {
    if (call.pool !== undefined) call.pool.figures.rescues += 1;
    const { observer } = this.#parts;
    if (observer?.rescued === undefined) return;
    tell(() => observer.rescued?.({ service: call.name, instance: call.context.instance }));
  }

  callEnded(call: Call, status: number | undefined, error: Error | undefined, aborted: boolean): void {
    const latencyMs = this.clock.now() - call.startedAt;
    const figures = call.pool?.figures;
    if (figures !== undefined) {
      figures.calls += 1;
      if (status !== undefined) figures.answered(latencyMs);
      else if (call.context.attempts === 0 && !aborted) figures.rejected(codeOf(error));
    }
    const { observer, totals } = this.#parts;
    const { name: service, retries } = call;
    totals?.add(status, aborted, latencyMs, retries);
    if (call.context.attempts === 0 && error !== undefined && !aborted && observer?.rejected !== undefined)
      tell(() => observer.rejected?.({ service, code: codeOf(error), error }));
    if (observer?.callEnded === undefined) return;
    tell(() => observer.callEnded?.({ service, status, error, aborted, latencyMs, retries }));
  }

  #dispatchFixed(options: ServiceDispatchOptions, handler: Handler): boolean {
    const { retry, next, rules } = this.#parts;
    if (retry === undefined) return next(options, handler);
    const context = contextOf(options) ?? createCallContext();
    const headers = { pairs: flatPairs(options.headers), trace: undefined, timeLeftMs: undefined };
    const name = String(options.origin);
    this.#budgets.memo(name).deposit();
    const target = { rules: context.policy?.over(rules) ?? rules, pool: undefined, name, isService: false };
    this.#begin(new Call(this, { options, handler, context, headers, ...target }));
    return true;
  }

  #begin(call: Call): void {
    const { context, headers, startedAt } = call;
    const timeoutMs = context.timeoutMs ?? call.rules.timeoutMs;
    let deadlineAt = context.deadlineAt ?? Infinity;
    if (timeoutMs > 0) deadlineAt = Math.min(deadlineAt, startedAt + timeoutMs);
    if (headers.timeLeftMs !== undefined) deadlineAt = Math.min(deadlineAt, startedAt + headers.timeLeftMs);
    call.deadlineAt = deadlineAt;
    if (deadlineAt < Infinity) context.deadlineAt = deadlineAt;
    call.start(call.isService ? this.#parts.mesh?.pools.gatesOf(call.name) : undefined);
  }

  #rulesOf(pool: ServicePool | undefined, { policy }: CallContext): CallRules {
    const { rules } = this.#parts;
    const own = pool === undefined ? rules : pool.rulesOver(rules);
    return policy === undefined ? own : policy.over(own);
  }

  /** The service that an origin names; remembered, because telling names from addresses takes a pattern. */
  #serviceOf(origin: string | URL | undefined): string | undefined {
    if (typeof origin !== 'string') return serviceOf(origin);
    const known = this.#names.get(origin);
    if (known !== undefined) return known;
    const service = serviceOf(origin);
    if (service === undefined) return undefined;
    if (this.#names.size >= maxNames) this.#names.clear();
    this.#names.set(origin, service);
    return service;
  }

  #lookUp(discovery: Discovery, call: Call, attempt: Attempt, fresh: boolean): void {
    const limitMs = call.attemptTimeoutMs === 0 ? 30_000 : call.attemptTimeoutMs;
    discovery.resolve(call.name, { signal: AbortSignal.timeout(limitMs) }).then(
      (resolution) => {
        this.clock.read();
        if (attempt.state === 'live') this.#sendTo(resolution, call, attempt, fresh);
      },
      (error: unknown) => {
        this.clock.read();
        attempt.refuse(toError(error), errorKind(error, false));
      },
    );
  }

  #sendTo({ instances }: Resolution, call: Call, attempt: Attempt, fresh: boolean): void {
    const { context } = call;
    const pools = this.#parts.mesh?.pools;
    const pool =
      call.pool !== undefined && context.attempts === 0
        ? call.pool.update(instances)
        : pools?.update(call.name, instances);
    call.pool = pool;
    if (pool?.admit(context, attempt) === undefined) {
      attempt.refuse(new NoInstanceError(call.name), 'other');
      return;
    }
    pool.figures.attempts += 1;
    call.limit(attempt, call.attemptTimeoutMs, attempt.startedAt);
    if (this.#parts.tracing !== undefined) this.#trace(this.#parts.tracing, call, attempt);
    const headers = call.headers.pairs.concat(this.#ownHeaders(call, attempt));
    const peer = attempt.guarded?.peer;
    if (peer === undefined) this.#sendOn(call, attempt, headers);
    else peer.send(requestOf(call, headers), attempt, fresh);
  }

  #trace(tracing: Tracing, { name: service, context, options }: Call, attempt: Attempt): void {
    const { guarded } = attempt;
    const { trace, attempts } = context;
    if (guarded === undefined || trace === undefined) return;
    const { id: instance, address } = guarded;
    const { method, path } = options;
    attempt.span = tracing.begin({ service, instance, address, method, path, trace, resends: attempts - 1 });
  }

  /** Made for each attempt: a span of its own, and the time that is left now. */
  #ownHeaders({ context, deadlineAt }: Call, attempt: Attempt): string[] {
    const own: string[] = [];
    if (context.trace !== undefined) appendChild(own, context.trace, attempt.span?.spanId);
    if (deadlineAt < Infinity)
      own.push(timeLeftHeader, String(Math.max(1, Math.floor(deadlineAt - this.clock.now()))));
    return own;
  }

  #sendOn({ options }: Call, attempt: Attempt, headers: string[]): void {
    const { origin = '' } = attempt;
    // The call keeps the limits itself: undici's own timers are up to a second late, and begin after the connect.
    this.#parts.next({ ...options, origin, headers, headersTimeout: 0, bodyTimeout: 0 }, attempt);
  }
}

function requestOf({ options }: Call, headers: readonly string[]): TransportRequest {
  return {
    method: options.method,
    path: options.path,
    query: options.query,
    headers,
    body: options.body,
    upgrade: options.upgrade,
    headersTimeout: 0,
    bodyTimeout: 0,
    expectContinue: options.expectContinue,
    reset: options.reset,
    blocking: options.blocking,
  };
}

function codeOf(error: unknown): string {
  const { code } = (error ?? {}) as { code?: unknown };
  return typeof code === 'string' ? code : 'unknown';
}
