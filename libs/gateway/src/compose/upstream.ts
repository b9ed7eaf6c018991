import { CircuitBreaker, type CircuitBreakerOptions, type CircuitSnapshot } from '@mesh/circuit-breaker';
import { LRUCache } from 'lru-cache';
import { answerStatus, failureCode, isAbort, isCallerFault, upstreamProblem } from '../upstream-failure.ts';

/** Where the data of an {@link Answer} came from. */
export type AnswerSource = 'service-discovery + circuit-breaker' | 'stale-cache' | 'fallback';

/** What a read gave: the data, and how far it can be trusted. */
export interface Answer<T> {
  /** Belongs to the cache as well: do not change it. */
  readonly data: T;
  readonly source: AnswerSource;
  /** False for a live answer only. */
  readonly degraded: boolean;
  /** Age of an answer from the cache, in whole ms. */
  readonly ageMs?: number;
  /** Stable code of why the answer is not live: `ERR_CIRCUIT_OPEN`, `ERR_NO_INSTANCE`, `ERR_UNAVAILABLE`, `ERR_TIMEOUT`, `ERR_UPSTREAM` ... */
  readonly reason?: string;
  /** Id of the instance that gave the data. */
  readonly upstream?: string;
}

/** What a load gives; the answer of `ServiceClient.json` fits. */
export interface Loaded<T> {
  readonly data: T;
  /** Id of the instance that answered. */
  readonly instance: string;
}

/** What an {@link Upstream} takes. */
export interface UpstreamOptions {
  /** Name of the service, for problems and snapshots. */
  readonly service: string;
  /** The circuit of the service as a whole. Default: 3 failures within 30 s open it, 30 s later it tries again. */
  readonly circuitBreaker?: CircuitBreakerOptions;
  /** How old a last good answer may be, in ms. Default 24 h. */
  readonly maxStaleMs?: number;
  /** Most answers that are kept; the one unused for longest goes first. Default 1000. */
  readonly maxEntries?: number;
  /** Monotonic time in ms, for the age of answers and for the circuit. Default `performance`. */
  readonly clock?: { now(): number };
}

/** An {@link Upstream} at one moment. */
export interface UpstreamSnapshot {
  readonly service: string;
  readonly circuit: CircuitSnapshot;
  /** Answers that are kept at the moment. */
  readonly cachedAnswers: number;
  /** How reads were answered since the start. */
  readonly reads: { readonly live: number; readonly stale: number; readonly fallback: number };
}

interface Kept {
  readonly loaded: Loaded<unknown>;
  readonly startedAt: number;
  readonly receivedAt: number;
}

/**
 * One service behind the gateway: a circuit breaker for all calls to it and the last good answer of each read.
 *
 * @throws RangeError when an option is out of its range.
 * @example
 * const users = new Upstream({ service: 'user-service' });
 * const answer = await users.read('all', () => client.json({ service: 'user-service', path: '/users' }), []);
 */
export class Upstream {
  /** Name of the service. */
  readonly service: string;
  /** The circuit of all calls to the service; listen to its events for logs. */
  readonly circuit: CircuitBreaker;
  readonly #answers: LRUCache<string, Kept>;
  readonly #maxStaleMs: number;
  readonly #clock: { now(): number };
  readonly #reads = { live: 0, stale: 0, fallback: 0 };

  constructor(options: UpstreamOptions) {
    const { service, circuitBreaker = {}, maxStaleMs = 86_400_000, maxEntries = 1_000 } = options;
    if (!(maxStaleMs >= 0)) refuse('maxStaleMs', 'a number >= 0', maxStaleMs);
    if (!Number.isSafeInteger(maxEntries) || maxEntries < 1)
      refuse('maxEntries', 'an integer >= 1', maxEntries);
    this.service = service;
    this.#clock = options.clock ?? performance;
    this.circuit = new CircuitBreaker({ name: service, classify, clock: this.#clock, ...circuitBreaker });
    this.#answers = new LRUCache({ max: maxEntries });
    this.#maxStaleMs = maxStaleMs;
  }

  /**
   * Loads data, or makes do: when the upstream is in trouble, or its circuit open (then `load` is not called at all), the last good answer
   * to the same `key`, else `empty`. Upstream trouble never rejects.
   *
   * @param key what is asked for; equal keys must mean equal questions (and equal rights of who asks).
   * @throws what `load` throws when the fault is the caller's: an error with a `status` of 400 to 499, or an abort.
   */
  async read<T>(key: string, load: () => Promise<Loaded<T>>, empty: T): Promise<Answer<T>> {
    const startedAt = this.#clock.now();
    try {
      const loaded = await this.circuit.execute(load);
      this.#keep(key, { loaded, startedAt, receivedAt: this.#clock.now() });
      this.#reads.live++;
      return {
        data: loaded.data,
        source: 'service-discovery + circuit-breaker',
        degraded: false,
        upstream: loaded.instance,
      };
    } catch (error) {
      if (isCallerFault(error) || isAbort(error)) throw error;
      return this.#makeDo(key, empty, failureCode(error));
    }
  }

  /**
   * Calls something that changes data, through the same circuit; an answer is never made up.
   *
   * @throws HttpProblem 503, 502 or 504 with the time to ask again when the upstream is in trouble (503: it has seen nothing of
   * the call); what `load` throws when the fault is the caller's.
   */
  async write<T>(load: () => Promise<T>): Promise<T> {
    try {
      return await this.circuit.execute(load);
    } catch (error) {
      if (isCallerFault(error) || isAbort(error)) throw error;
      throw upstreamProblem(this.service, error);
    }
  }

  /** Circuit, cache and counts at this moment. */
  getSnapshot(): UpstreamSnapshot {
    return {
      service: this.service,
      circuit: this.circuit.getSnapshot(),
      cachedAnswers: this.#answers.size,
      reads: { ...this.#reads },
    };
  }

  /** A slow answer does not replace that of a question which was asked after it. */
  #keep(key: string, kept: Kept): void {
    const before = this.#answers.peek(key);
    if (before === undefined || before.startedAt <= kept.startedAt) this.#answers.set(key, kept);
  }

  #makeDo<T>(key: string, empty: T, reason: string): Answer<T> {
    const kept = this.#answers.get(key);
    const ageMs = kept === undefined ? Infinity : this.#clock.now() - kept.receivedAt;
    if (kept !== undefined && ageMs <= this.#maxStaleMs) {
      this.#reads.stale++;
      // The caller's keys tell its types apart.
      const { data, instance } = kept.loaded as Loaded<T>;
      return {
        data,
        source: 'stale-cache',
        degraded: true,
        ageMs: Math.round(ageMs),
        reason,
        upstream: instance,
      };
    }
    this.#answers.delete(key);
    this.#reads.fallback++;
    return { data: empty, source: 'fallback', degraded: true, reason };
  }
}

/**
 * A 4xx shows that the upstream is alive, so a half-open circuit may close on it; too many requests and request timeouts say
 * nothing either way.
 */
function classify(result: { ok: true } | { ok: false; error: unknown }): 'success' | 'failure' | 'ignored' {
  if (result.ok) return 'success';
  if (isAbort(result.error)) return 'ignored';
  if (!isCallerFault(result.error)) return 'failure';
  const status = answerStatus(result.error);
  return status === 408 || status === 429 ? 'ignored' : 'success';
}

function refuse(option: string, expected: string, value: unknown): never {
  throw new RangeError(`upstream: ${option} must be ${expected}, got ${String(value)}`);
}
