import { failureCode } from '../upstream-failure.ts';
import { checkTimeout, type Part } from './part.ts';

/** What {@link aggregate} takes beside its parts. */
export interface AggregateOptions {
  /** How long the whole may take, in ms; every part ends by then. Default 10 000. */
  readonly timeoutMs?: number;
  /** The caller leaves: all parts are cancelled. */
  readonly signal?: AbortSignal | undefined;
  /** Monotonic time in ms. Default `performance`. */
  readonly clock?: { now(): number };
}

/** How a part went. */
export interface PartMeta {
  /** Its data are not what was asked for: its fallback, or an `Answer` that says so itself. */
  readonly degraded: boolean;
  /** Stable code of why. */
  readonly reason?: string;
  /** How long it took, in whole ms. */
  readonly ms: number;
}

type Parts = Readonly<Record<string, Part<unknown>>>;

/** The results of an {@link aggregate}. */
export interface Aggregate<P extends Parts> {
  readonly data: { readonly [K in keyof P]: P[K] extends Part<infer T> ? T : never };
  readonly meta: {
    /** Whether any part is. */
    readonly degraded: boolean;
    readonly parts: { readonly [K in keyof P]: PartMeta };
  };
}

const maxParts = 32;

/**
 * Asks several questions at once and puts the answers together. A part with a fallback may fail, and `meta` says so; one without
 * fails the whole and cancels the rest. At its deadline a part is aborted first, so that one that reads through an `Upstream` still gives
 * its last good answer; only then its fallback counts.
 *
 * @throws what a required part throws (`TimeoutError` at its deadline), or the reason of `signal`; RangeError for options out of range.
 * @example
 * const user = part(({ signal }) => api.user(id, signal));
 * const orders = part(async ({ use, signal }) => api.orders((await use(user)).id, signal), { timeoutMs: 500, fallback: () => [] });
 * const { data, meta } = await aggregate({ user, orders }, { timeoutMs: 2_000 });
 */
export async function aggregate<P extends Parts>(
  parts: P,
  { timeoutMs = 10_000, signal, clock = performance }: AggregateOptions = {},
): Promise<Aggregate<P>> {
  checkTimeout('aggregate', timeoutMs);
  const entries = Object.entries(parts);
  if (entries.length > maxParts) {
    throw new RangeError(`aggregate: there may be ${maxParts} parts at most, got ${entries.length}`);
  }
  signal?.throwIfAborted();
  const run = new Run(timeoutMs, clock);
  const gone = Promise.withResolvers<never>();
  const onAbort = (): void => {
    gone.reject(signal?.reason as Error);
  };
  signal?.addEventListener('abort', onAbort, { once: true });
  try {
    for (const [, one] of entries) run.add(one);
    const all = Promise.all(entries.map(async ([name, one]) => [name, await run.resultOf(one)] as const));
    return shape<P>(await Promise.race([all, gone.promise]));
  } finally {
    run.cancel();
    signal?.removeEventListener('abort', onAbort);
  }
}

interface Result {
  readonly value: unknown;
  readonly meta: PartMeta;
}

/** The parts of one aggregate while they are under way. */
class Run {
  readonly #timeoutMs: number;
  readonly #clock: { now(): number };
  readonly #startedAt: number;
  readonly #results = new Map<Part<unknown>, PromiseWithResolvers<Result>>();
  readonly #running = new Set<AbortController>();
  #isCancelled = false;

  constructor(timeoutMs: number, clock: { now(): number }) {
    this.#timeoutMs = timeoutMs;
    this.#clock = clock;
    this.#startedAt = clock.now();
  }

  /** Starts a part; one that has two names is asked once. */
  add(one: Part<unknown>): void {
    if (this.#results.has(one)) return;
    const result = Promise.withResolvers<Result>();
    this.#results.set(one, result);
    this.#answer(one).then(result.resolve, result.reject);
  }

  /** @throws RangeError for a part that is not one of these. */
  async resultOf(one: Part<unknown>): Promise<Result> {
    const result = this.#results.get(one);
    if (result === undefined)
      throw new RangeError('aggregate: a part may only use parts of the same aggregate');
    return result.promise;
  }

  /** Nobody waits any more. An `AbortError`, whatever the cause: the services that are still at work are not to blame. */
  cancel(): void {
    this.#isCancelled = true;
    const reason = new DOMException('The aggregate is over.', 'AbortError');
    for (const controller of this.#running) controller.abort(reason);
  }

  async #answer(one: Part<unknown>): Promise<Result> {
    const controller = new AbortController();
    this.#running.add(controller);
    try {
      const value = await this.#inTime(one, controller);
      return { value, meta: this.#meta(degradation(value)) };
    } catch (error) {
      if (one.fallback === undefined || this.#isCancelled) throw error;
      const reason = failureCode(error);
      return { value: one.fallback(reason), meta: this.#meta(reason) };
    } finally {
      this.#running.delete(controller);
    }
  }

  async #inTime(one: Part<unknown>, controller: AbortController): Promise<unknown> {
    const late = Promise.withResolvers<never>();
    const timer = setTimeout(
      () => {
        const error = new DOMException('The part took too long.', 'TimeoutError');
        controller.abort(error);
        // One turn for whoever can make do without the answer.
        setImmediate(late.reject, error);
      },
      Math.min(one.timeoutMs ?? Infinity, this.#timeoutMs),
    );
    const { signal } = controller;
    // Every part is known before the first one runs, so that each may use any other.
    const loaded = Promise.resolve().then(() =>
      one.load({ signal, use: async <T>(other: Part<T>) => (await this.resultOf(other)).value as T }),
    );
    try {
      return await Promise.race([loaded, late.promise]);
    } finally {
      clearTimeout(timer);
    }
  }

  #meta(reason: string | undefined): PartMeta {
    const ms = Math.round(this.#clock.now() - this.#startedAt);
    return reason === undefined ? { degraded: false, ms } : { degraded: true, reason, ms };
  }
}

/** Why an `Answer` of an `Upstream` is not live; undefined for a live one and for anything else. */
function degradation(value: unknown): string | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const { degraded, reason, source } = value as { degraded?: unknown; reason?: unknown; source?: unknown };
  return degraded === true && typeof source === 'string' ? String(reason) : undefined;
}

function shape<P extends Parts>(results: readonly (readonly [string, Result])[]): Aggregate<P> {
  const parts = Object.fromEntries(results.map(([name, { meta }]) => [name, meta]));
  const data = Object.fromEntries(results.map(([name, { value }]) => [name, value]));
  const degraded = results.some(([, { meta }]) => meta.degraded);
  return { data, meta: { degraded, parts } } as unknown as Aggregate<P>;
}
