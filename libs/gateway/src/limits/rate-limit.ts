import { HttpProblem } from '@mesh/problem';
import type { Clock, RateLimitState } from '@mesh/resilience';
import { wholeNumber } from '../range.ts';
import type { Passage, Refusal, Stage } from '../passage.ts';
import { LimitHeaders } from './limit-headers.ts';
import { limitKey } from './limit-key.ts';
import { LocalLimit } from './local-limit.ts';
import {
  readRateLimitRules,
  type LimitRule,
  type RateLimitRules,
  type RateLimitRulesInput,
} from './rate-limit-rules.ts';
import type { SharedCounts, SharedLimit, Taken } from './shared-counts.ts';

/** What {@link rateLimit} takes. */
export interface RateLimitOptions {
  readonly rules: RateLimitRulesInput;
  /** Counts that several gateways share. Default: this process counts for itself. */
  readonly shared?: SharedCounts;
  /** What shared counts belong to; the same in all gateways. Default: the id of the route. */
  readonly scope?: string;
  /** Most keys that each limit remembers in memory; further ones share one limit while all owe. Default 10 000. */
  readonly maxKeys?: number;
  /** Monotonic clock in ms, for the memory. Default `performance`. */
  readonly clock?: Clock;
}

/**
 * The stage that limits how often is asked. In memory it answers at once, without a promise; with shared counts it waits for Redis, for
 * a short while. A request passes when all limits let it, and counts for none when one refuses.
 *
 * Answers 429 `ERR_RATE_LIMITED` with `Retry-After`; `RateLimit` and `RateLimit-Policy` (draft-ietf-httpapi-ratelimit-headers-10) go on
 * every answer, or as the rules say. In memory one stage has one set of counts: routes that share the stage share the limits.
 *
 * @throws RangeError when an option is out of its range.
 * @example const stage = rateLimit({ rules: { limits: [{ limit: 10 }, { limit: 1_000, periodMs: 3_600_000 }] } });
 */
export function rateLimit(options: RateLimitOptions): Stage {
  const { limits: rules, headers } = readRateLimitRules(options.rules);
  const maxKeys = wholeNumber('rateLimit: maxKeys', options.maxKeys ?? 10_000, 1);
  const limits = rules.map((rule) => new RouteLimit(rule, maxKeys, options));
  const answers = new LimitAnswers(limits, headers);
  if (options.shared !== undefined)
    return (passage) => askShared(limits, answers, passage, options.scope ?? passage.routeId);
  return (passage) => askLocal(limits, answers, passage);
}

/** One limit of a route, with its counts here and, when they are shared, in Redis. */
class RouteLimit {
  readonly keyOf: (passage: Passage) => string;
  readonly headers: LimitHeaders;
  readonly local: LocalLimit;
  readonly shared: SharedLimit | undefined;

  constructor(rule: LimitRule, maxKeys: number, { shared, clock }: RateLimitOptions) {
    this.keyOf = limitKey(rule.by);
    this.headers = new LimitHeaders(rule);
    this.local = new LocalLimit(rule, maxKeys, clock);
    this.shared = shared?.limit(rule);
  }

  /** Counts one request, here when Redis cannot be asked. */
  async take(scope: string, key: string): Promise<Taken & { readonly isShared: boolean }> {
    const taken = await this.shared?.take(scope, key);
    if (taken !== undefined) return { ...taken, isShared: true };
    return { hasPassed: this.local.tryTake(key), state: this.local.state(key), isShared: false };
  }

  giveBack(scope: string, key: string, isShared: boolean): void {
    if (isShared) this.shared?.giveBack(scope, key);
    else this.local.giveBack(key);
  }
}

/** Tells the client how its limits stand. */
class LimitAnswers {
  readonly #limits: readonly RouteLimit[];
  readonly #policies: string;
  readonly #tellsPassed: boolean;
  readonly #tellsRefused: boolean;

  constructor(limits: readonly RouteLimit[], headers: RateLimitRules['headers']) {
    this.#limits = limits;
    this.#policies = limits.map((limit) => limit.headers.policy).join(', ');
    this.#tellsPassed = headers === 'always';
    this.#tellsRefused = headers !== 'never';
  }

  passed(passage: Passage, stateOf: (at: number) => RateLimitState): void {
    if (this.#tellsPassed) this.#tell(passage, stateOf);
  }

  refused(passage: Passage, stateOf: (at: number) => RateLimitState): Refusal {
    if (this.#tellsRefused) this.#tell(passage, stateOf);
    let retryAfterMs = 0;
    for (let at = 0; at < this.#limits.length; at++) {
      retryAfterMs = Math.max(retryAfterMs, stateOf(at).retryAfterMs);
    }
    return new HttpProblem('ERR_RATE_LIMITED', 'Too many requests; ask again later.', { retryAfterMs });
  }

  #tell({ answerHeaders }: Passage, stateOf: (at: number) => RateLimitState): void {
    let items = '';
    let at = 0;
    for (const { headers } of this.#limits) {
      if (at > 0) items += ', ';
      items += headers.item(stateOf(at++));
    }
    answerHeaders.push('ratelimit-policy', this.#policies, 'ratelimit', items);
  }
}

function askLocal(
  limits: readonly RouteLimit[],
  answers: LimitAnswers,
  passage: Passage,
): Refusal | undefined {
  const keys: string[] = [];
  const stateOf = (at: number): RateLimitState => (limits[at] as RouteLimit).local.state(keys[at] ?? '');
  let hasPassed = true;
  for (const limit of limits) {
    const key = limit.keyOf(passage);
    keys.push(key);
    // After a refusal only the keys are still needed, to tell how all limits stand.
    if (!hasPassed || limit.local.tryTake(key)) continue;
    hasPassed = false;
    for (let before = 0; before < keys.length - 1; before++)
      limits[before]?.local.giveBack(keys[before] ?? '');
  }
  if (!hasPassed) return answers.refused(passage, stateOf);
  answers.passed(passage, stateOf);
  return undefined;
}

async function askShared(
  limits: readonly RouteLimit[],
  answers: LimitAnswers,
  passage: Passage,
  scope: string,
): Promise<Refusal | undefined> {
  const keys = limits.map((limit) => limit.keyOf(passage));
  const taken = await Promise.all(limits.map((limit, at) => limit.take(scope, keys[at] ?? '')));
  const stateOf = (at: number): RateLimitState => (taken[at] as Taken).state;
  if (taken.every(({ hasPassed }) => hasPassed)) {
    answers.passed(passage, stateOf);
    return undefined;
  }
  for (const [at, { hasPassed, isShared }] of taken.entries()) {
    if (hasPassed) limits[at]?.giveBack(scope, keys[at] ?? '', isShared);
  }
  return answers.refused(passage, stateOf);
}
