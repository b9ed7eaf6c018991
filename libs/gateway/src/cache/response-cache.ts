import { HttpProblem } from '@mesh/problem';
import { LRUCache } from 'lru-cache';
import { valuesOf } from '../forward/hop-headers.ts';
import type { AnswerSink, Flow, Forward, Passage } from '../passage.ts';
import { AnswerStore } from './answer-store.ts';
import { isPersonal, readAsked, type Asked } from './asked.ts';
import { cacheKey, placeOf, placeOnHost } from './cache-key.ts';
import { readPolicy, type CachePolicy, type CacheRules } from './cache-policy.ts';
import { MarkedSink, type ForwardReason } from './cache-status.ts';
import { writeStored } from './conditional.ts';
import { Fill, type FillHost, type FillParts } from './fill.ts';
import { judge, type Head } from './judge.ts';
import { purgeTest, type PurgeTarget } from './purge.ts';
import { Reader, type ReaderParts } from './reader.ts';
import { StoredAnswer } from './stored-answer.ts';

/** What a {@link ResponseCache} takes. */
export interface ResponseCacheOptions {
  /** Most bytes that are kept, heads and keys counted; as many again at most for answers on their way in. Default 64 MiB. */
  readonly maxBytes?: number;
  /** Most URIs that are kept. Default 10 000. */
  readonly maxEntries?: number;
  /** Most answers to one URI that `Vary` tells apart. Default 8. */
  readonly maxVariants?: number;
  /** How long a request waits for the head of an equal one's answer before it goes by itself, in ms. Default 5000. */
  readonly coalesceWaitMs?: number;
  /** Name in `Cache-Status`: a token. Default `mesh`. */
  readonly name?: string;
  /** Monotonic time in ms. Default `performance`. */
  readonly clock?: { now(): number };
  /** Time in ms since 1970, for `Date` and `Expires`. Default `Date`. */
  readonly wallClock?: { now(): number };
}

/** A {@link ResponseCache} at one moment; the counts are since the start. */
export interface CacheSnapshot {
  /** Answered from memory, fresh. */
  readonly hits: number;
  /** Went to an instance for a whole answer. */
  readonly misses: number;
  /** Answered from memory, stale. */
  readonly stale: number;
  /** Went to an instance, which said that the stored answer holds. */
  readonly revalidated: number;
  /** Answered with what another request fetched. */
  readonly coalesced: number;
  /** Requests that the cache has no say in. */
  readonly bypassed: number;
  readonly bytes: number;
  readonly entries: number;
  /** Of the requests that could have been answered from memory, those that needed no fetch of their own: 0..1. */
  readonly hitRatio: number;
}

/** RFC 9110, 9.2.1; the rest changes something, or may. */
const safe: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE', 'QUERY']);

/** How long requests for an answer that turned out not to be for sharing do not wait for each other. */
const apartMs = 10_000;

const nothing: Flow = { abort: () => undefined, resume: () => undefined };

/**
 * A shared cache (RFC 9111) with stale answers (RFC 5861) in front of instances, bounded in bytes. Equal requests at one time share one fetch.
 *
 * @throws RangeError when an option is out of its range.
 * @example
 * const cache = new ResponseCache({ maxBytes: 256 * 1024 * 1024 });
 * const forward = cache.around({ ttlMs: 1_000, staleWhileRevalidateMs: 10_000 }, toInstance);
 */
export class ResponseCache {
  readonly #store: AnswerStore;
  /** Every fetch on its way. */
  readonly #fills = new Set<Fill>();
  /** Those that others may join, by what they fetch. */
  readonly #flights = new Map<string, Fill>();
  /** Keys whose answers are not for sharing, until when. */
  readonly #apart: LRUCache<string, number>;
  readonly #counts = { hits: 0, misses: 0, stale: 0, revalidated: 0, coalesced: 0, bypassed: 0 };
  readonly #name: string;
  readonly #clock: { now(): number };
  readonly #coalesceWaitMs: number;
  readonly #host: FillHost;

  constructor(options: ResponseCacheOptions = {}) {
    const { maxBytes = 67_108_864, maxEntries = 10_000, maxVariants = 8, coalesceWaitMs = 5_000 } = options;
    const { name = 'mesh', clock = performance, wallClock = Date } = options;
    for (const [option, value] of Object.entries({ maxBytes, maxEntries, maxVariants, coalesceWaitMs })) {
      if (!Number.isSafeInteger(value) || value < 1 || value > 2 ** 40)
        refuse(option, 'an integer >= 1', value);
    }
    if (!/^[A-Za-z*][!#$%&'*+.^_`|~:/\w-]{0,63}$/.test(name)) refuse('name', 'a token', name);
    this.#store = new AnswerStore({ maxBytes, maxEntries, maxVariants });
    this.#apart = new LRUCache({ max: maxEntries });
    this.#name = name;
    this.#clock = clock;
    this.#coalesceWaitMs = coalesceWaitMs;
    this.#host = this.#hostOfFills(maxBytes, wallClock);
  }

  /**
   * A forward that answers from memory where it may, and asks `next` otherwise. Give it every method of a route: changes make what
   * they change stale.
   *
   * @throws RangeError when an option of the policy is out of its range.
   */
  around(policy: CachePolicy, next: Forward): Forward {
    const rules = readPolicy(policy);
    return (passage, sink) => this.#answer(passage, sink, next, rules);
  }

  /** Forgets answers, also those that are on their way in; gives how many URIs were kept. */
  purge(target: PurgeTarget): number {
    const fits = purgeTest(target);
    for (const fill of [...this.#fills]) if (fits(fill.parts.key.full, undefined)) fill.forget();
    return this.#store.removeWhere(fits);
  }

  /** Counts and sizes, for `/health`. */
  getSnapshot(): CacheSnapshot {
    const { hits, stale, coalesced, misses, revalidated } = this.#counts;
    const all = hits + stale + coalesced + misses + revalidated;
    return {
      ...this.#counts,
      bytes: this.#store.bytes,
      entries: this.#store.entries,
      hitRatio: all === 0 ? 0 : (hits + stale + coalesced) / all,
    };
  }

  /** The hot path: a hit ends here, with no promise, no timer and one small object. */
  #answer(passage: Passage, sink: AnswerSink, next: Forward, rules: CacheRules): Flow {
    const { method, rawHeaders } = passage.request.raw;
    const isHead = method === 'HEAD';
    if (method !== 'GET' && !isHead) return this.#pass(passage, sink, next, method ?? '');
    const asked = heed(readAsked(rawHeaders), rules);
    if (asked.isOutside || asked.wish?.noStore === true) return this.#bypass(passage, sink, next, 'bypass');
    const key = cacheKey(passage, asked, rules);
    const stored = this.#store.find(key.full, asked);
    if (stored !== undefined) {
      const now = this.#clock.now();
      if (stored.isFresh(asked.wish, now)) {
        this.#counts.hits++;
        note(passage, 'hit');
        writeStored(sink, stored, stored.hitPairs(now), asked, isHead);
        return nothing;
      }
    }
    const reader = new Reader({ passage, sink, next, asked, key, rules, isHead });
    this.#seek(reader);
    return reader;
  }

  /** Any other method goes on; a change that succeeds makes what is stored of its resource stale (RFC 9111, 4.4). */
  #pass(passage: Passage, sink: AnswerSink, next: Forward, method: string): Flow {
    if (safe.has(method)) return this.#bypass(passage, sink, next, 'method');
    this.#counts.bypassed++;
    note(passage, 'bypass');
    const { host } = readAsked(passage.request.raw.rawHeaders);
    const marked = new MarkedSink(sink, `${this.#name}; fwd=method`, (status, raw) => {
      if (status < 200 || status >= 400) return;
      this.#invalidate(placeOf(host, passage.target.normalised));
      for (const name of ['location', 'content-location']) {
        const place = placeOnHost(valuesOf(raw, name)[0], host, passage.target.path);
        if (place !== undefined) this.#invalidate(place);
      }
    });
    return next(passage, marked);
  }

  #bypass(passage: Passage, sink: AnswerSink, next: Forward, reason: ForwardReason): Flow {
    this.#counts.bypassed++;
    note(passage, 'bypass');
    return next(passage, new MarkedSink(sink, `${this.#name}; fwd=${reason}`));
  }

  /** Whatever its query: a change of `/orders` shows in all its pages. */
  #invalidate(place: string): void {
    this.#store.removePlace(place);
    for (const fill of [...this.#fills]) if (fill.parts.key.place === place) fill.forget();
  }

  /** Finds an answer for a reader: stored, being fetched, or new. */
  #seek(reader: Reader): void {
    const { passage, asked, key, isHead, sink, next } = reader.parts;
    const now = this.#clock.now();
    let stored = this.#store.find(key.full, asked);
    if (stored?.isSpent(now) === true) {
      this.#store.remove(key, stored);
      stored = undefined;
    }
    const isFresh = stored?.isFresh(asked.wish, now) === true;
    if (stored !== undefined && (isFresh || stored.isUsableMeanwhile(asked.wish, now))) {
      this.#counts[isFresh ? 'hits' : 'stale']++;
      note(passage, isFresh ? 'hit' : 'stale');
      writeStored(sink, stored, stored.hitPairs(now), asked, isHead);
      if (!isFresh && !isHead && now >= stored.refreshAfter) this.#fetch(reader.parts, undefined, stored);
    } else if (asked.wish?.onlyIfCached === true) {
      const detail = 'only-if-cached: nothing is stored that answers this.';
      sink.fail(new HttpProblem('ERR_NOT_CACHED', detail, { status: 504 }));
    } else if (isHead) {
      this.#counts.misses++;
      note(passage, 'miss');
      reader.follow(next(passage, new MarkedSink(sink, `${this.#name}; fwd=uri-miss`)));
    } else {
      note(passage, 'miss');
      this.#fetch(reader.parts, reader, stored);
    }
  }

  /** Joins a fetch or begins one; without a reader it refreshes the store. */
  #fetch(parts: ReaderParts, reader: Reader | undefined, stored: StoredAnswer | undefined): void {
    const { asked, key } = parts;
    const vary = reader?.vary ?? this.#store.varyOf(key.full);
    const flightKey = flightKeyOf(key.full, asked, vary);
    const isShared = reader === undefined || this.#isForSharing(reader, flightKey, stored);
    // Who insists on a confirmation wants one that was asked for after that.
    const isForced = asked.wish?.noCache === true || asked.wish?.maxAgeMs === 0;
    if (isShared && !isForced && this.#join(flightKey, reader)) return;
    const missing = vary === undefined ? 'uri-miss' : 'vary-miss';
    const reason = stored === undefined ? missing : isForced ? 'request' : 'stale';
    const fill = new Fill({ ...parts, flightKey, reason, stored, isShared }, this.#host);
    this.#fills.add(fill);
    if (isShared) this.#flights.set(flightKey, fill);
    fill.start(reader);
  }

  #join(flightKey: string, reader: Reader | undefined): boolean {
    const flight = this.#flights.get(flightKey);
    if (flight === undefined || reader === undefined) return flight !== undefined;
    if (!flight.join(reader)) return false;
    flight.timer ??= setTimeout(() => {
      flight.dismiss();
    }, this.#coalesceWaitMs).unref();
    return true;
  }

  /** Not when the last answer was not to be shared: then all would wait for one, and each go alone after all. */
  #isForSharing({ isAlone, parts }: Reader, flightKey: string, stored: StoredAnswer | undefined): boolean {
    if (isAlone || !parts.rules.coalesce || (this.#apart.get(flightKey) ?? 0) > this.#clock.now())
      return false;
    const { lifetimeMs = 1, staleWhileRevalidateMs = 0 } = stored?.verdict ?? {};
    return lifetimeMs > 0 || staleWhileRevalidateMs > 0;
  }

  #hostOfFills(maxBytes: number, wallClock: { now(): number }): FillHost {
    let free = maxBytes;
    return {
      name: this.#name,
      now: () => this.#clock.now(),
      date: () => wallClock.now(),
      admit: (parts, head, statusMessage) => this.#admit(parts, head, statusMessage),
      keep: ({ key }, answer) => {
        this.#store.put(key, answer);
      },
      remove: ({ key }, answer) => {
        this.#store.remove(key, answer);
      },
      reserve: (bytes) => {
        if (bytes > free) return false;
        free -= bytes;
        return true;
      },
      release: (bytes) => {
        free += bytes;
      },
      count: (what) => {
        this.#counts[what]++;
      },
      close: (fill) => {
        clearTimeout(fill.timer);
        if (this.#flights.get(fill.parts.flightKey) === fill) this.#flights.delete(fill.parts.flightKey);
      },
      over: (fill) => {
        this.#fills.delete(fill);
      },
      retry: (reader) => {
        if (!reader.isGone) this.#seek(reader);
      },
    };
  }

  #admit(parts: FillParts, head: Head, statusMessage: string): StoredAnswer | undefined {
    const { asked, rules, flightKey, isShared } = parts;
    const verdict = judge(asked, head, rules);
    if (verdict === undefined) {
      if (isShared && head.status < 500) this.#apart.set(flightKey, this.#clock.now() + apartMs);
      return undefined;
    }
    this.#apart.delete(flightKey);
    return new StoredAnswer({ head, statusMessage, verdict, asked, tags: rules.tags, name: this.#name });
  }
}

/** Fetches of different variants, once it is known what tells them apart, and of people and passers-by do not wait for each other. */
function flightKeyOf(key: string, asked: Asked, vary: readonly string[] = []): string {
  const values = vary.map((name) => `\n${valuesOf(asked.raw, name).join(',')}`).join('');
  return `${key}${isPersonal(asked) ? '\npersonal' : ''}${values}`;
}

/** What of a client's wishes the route heeds. */
function heed(asked: Asked, { ignoreClientRefresh }: CacheRules): Asked {
  if (asked.wish === undefined || !ignoreClientRefresh) return asked;
  return { ...asked, wish: { ...asked.wish, noCache: false, maxAgeMs: Infinity, minFreshMs: 0 } };
}

function refuse(option: string, expected: string, value: unknown): never {
  throw new RangeError(`cache: ${option} must be ${expected}, got ${String(value)}`);
}

/** For metrics and traces. A fetch is a miss to whoever waits for it, shared or not. */
function note({ notes }: Passage, what: 'hit' | 'stale' | 'miss' | 'bypass'): void {
  if (notes !== undefined) notes.cache = what;
}
