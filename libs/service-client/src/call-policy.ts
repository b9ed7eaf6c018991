import type { CircuitBreakerOptions } from '@mesh/circuit-breaker';
import { CircuitBreaker } from '@mesh/circuit-breaker';
import { durationMs, integer } from './options.ts';

/** What is tried again, and how often. */
export interface RetryRules {
  /** Most retries of one call (default 3; 0 = none). */
  readonly maxRetries?: number;
  /** Ceiling of the first delay in milliseconds (default 100); it doubles with every retry: 100, 200, 400. */
  readonly baseDelayMs?: number;
  /** Ceiling of every delay in milliseconds (default 2000). */
  readonly maxDelayMs?: number;
  /** Longest Retry-After that is waited for in milliseconds (default 10000); a longer one ends the call. */
  readonly maxRetryAfterMs?: number;
  /** Statuses that are retried (default 502, 503, 504). */
  readonly statuses?: readonly number[];
  /** Codes of errors that are retried beside those of connections and time limits (default none). */
  readonly codes?: readonly string[];
  /** Whether an answer (a status) is repeated only while another instance is left to ask (default false). */
  readonly elsewhereOnly?: boolean;
}

/** A second attempt beside one that is slow. */
export interface HedgeRules {
  /** So long an attempt may be without an answer before another is made beside it, in milliseconds. */
  readonly delayMs: number;
  /** Most attempts beside the first (default 1). */
  readonly maxHedges?: number;
}

/** Limits and retries of one kind of call. */
export interface CallPolicyOptions {
  /** Deadline over all attempts and the body, in milliseconds; 0 = none. */
  readonly timeoutMs?: number;
  /** Longest silence of one attempt before its response headers, in milliseconds; 0 = no limit. */
  readonly attemptTimeoutMs?: number;
  /** Longest silence between two chunks of a response body, in milliseconds; 0 = no limit. */
  readonly bodyTimeoutMs?: number;
  /** false turns retries off. */
  readonly retry?: RetryRules | false;
  /** Off unless given. Only idempotent calls without a streamed body are hedged, each hedge counts against the retry budget. */
  readonly hedge?: HedgeRules | false;
  /** Options of the circuits of the call's `routeClass`. */
  readonly circuitBreaker?: CircuitBreakerOptions;
}

/** The rules that a call lives by: everything decided. */
export interface CallRules {
  readonly timeoutMs: number;
  readonly attemptTimeoutMs: number;
  readonly bodyTimeoutMs: number;
  readonly maxRetries: number;
  readonly baseDelayMs: number;
  readonly maxDelayMs: number;
  readonly maxRetryAfterMs: number;
  readonly statuses: ReadonlySet<number>;
  readonly codes: ReadonlySet<string> | undefined;
  readonly elsewhereOnly: boolean;
  readonly hedgeDelayMs: number;
  readonly maxHedges: number;
  readonly circuitBreaker: CircuitBreakerOptions | undefined;
}

const usualStatuses: ReadonlySet<number> = new Set([502, 503, 504]);

/** Rules of a client that says nothing: what every policy begins with. */
export const usualRules: CallRules = Object.freeze({
  timeoutMs: 0,
  attemptTimeoutMs: 5000,
  bodyTimeoutMs: 30_000,
  maxRetries: 3,
  baseDelayMs: 100,
  maxDelayMs: 2000,
  maxRetryAfterMs: 10_000,
  statuses: usualStatuses,
  codes: undefined,
  elsewhereOnly: false,
  hedgeDelayMs: 0,
  maxHedges: 0,
  circuitBreaker: undefined,
});

/** A policy of calls, made once (by {@link callPolicy}) and used by many. */
export class CallPolicy {
  readonly #options: CallPolicyOptions;
  #base: CallRules | undefined;
  #rules: CallRules = usualRules;

  /** @throws RangeError naming the option that is out of range. */
  constructor(options: CallPolicyOptions) {
    this.#options = { ...options };
    this.over(usualRules);
  }

  /** Options of the circuits of a call's route class. */
  get circuitBreaker(): CircuitBreakerOptions | undefined {
    return this.#options.circuitBreaker;
  }

  /** The rules for a service that has `base` for calls that say nothing; the last answer is kept. */
  over(base: CallRules): CallRules {
    if (base === this.#base) return this.#rules;
    this.#rules = readRules(this.#options, base);
    this.#base = base;
    return this.#rules;
  }
}

/**
 * Limits and retries of one kind of call, such as a route of a gateway: make it once and pass it as `policy` of `createCallContext()`. What it
 * leaves out is the service's, then the client's.
 *
 * @throws RangeError naming the option that is out of range, and its value.
 */
export function callPolicy(options: CallPolicyOptions): CallPolicy {
  return new CallPolicy(options);
}

const noRetries: RetryRules = { maxRetries: 0 };

/** `options` over `base`, checked. */
export function readRules(options: CallPolicyOptions, base: CallRules): CallRules {
  const { hedge, circuitBreaker } = options;
  if (circuitBreaker !== undefined) new CircuitBreaker(circuitBreaker);
  return Object.freeze({
    ...base,
    ...readLimits(options, base),
    ...readRetry(options.retry === false ? noRetries : (options.retry ?? {}), base),
    ...(hedge !== undefined && readHedge(hedge)),
    ...(circuitBreaker !== undefined && { circuitBreaker }),
  });
}

function readLimits(
  options: CallPolicyOptions,
  base: CallRules,
): Pick<CallRules, 'timeoutMs' | 'attemptTimeoutMs' | 'bodyTimeoutMs'> {
  return {
    timeoutMs: durationMs('timeoutMs', options.timeoutMs ?? base.timeoutMs),
    attemptTimeoutMs: durationMs('attemptTimeoutMs', options.attemptTimeoutMs ?? base.attemptTimeoutMs),
    bodyTimeoutMs: durationMs('bodyTimeoutMs', options.bodyTimeoutMs ?? base.bodyTimeoutMs),
  };
}

function readRetry(rules: RetryRules, base: CallRules): Partial<CallRules> {
  for (const status of rules.statuses ?? []) integer('retry.statuses', status, 400);
  return {
    maxRetries: integer('retry.maxRetries', rules.maxRetries ?? base.maxRetries, 0),
    baseDelayMs: durationMs('retry.baseDelayMs', rules.baseDelayMs ?? base.baseDelayMs),
    maxDelayMs: durationMs('retry.maxDelayMs', rules.maxDelayMs ?? base.maxDelayMs),
    maxRetryAfterMs: durationMs('retry.maxRetryAfterMs', rules.maxRetryAfterMs ?? base.maxRetryAfterMs),
    statuses: rules.statuses === undefined ? base.statuses : new Set(rules.statuses),
    codes: rules.codes === undefined ? base.codes : new Set(rules.codes),
    elsewhereOnly: rules.elsewhereOnly ?? base.elsewhereOnly,
  };
}

function readHedge(hedge: HedgeRules | false): Pick<CallRules, 'hedgeDelayMs' | 'maxHedges'> {
  if (hedge === false) return { hedgeDelayMs: 0, maxHedges: 0 };
  return {
    hedgeDelayMs: durationMs('hedge.delayMs', hedge.delayMs),
    maxHedges: integer('hedge.maxHedges', hedge.maxHedges ?? 1, 1),
  };
}
