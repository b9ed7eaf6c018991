import { endToEnd, isMeshOwned, valuesOf, type RawHeaders } from '../forward/hop-headers.ts';
import { isPersonal, type Asked, type Wish } from './asked.ts';
import type { Head, Verdict } from './judge.ts';

/** What V8 and the map need for an answer beside its text, in bytes; generous. */
const overheadBytes = 768;
const overheadPerField = 32;

const maxTags = 32;

/** Fields of a 304 (RFC 9110, 15.4.5); others describe a body that is not there. */
const notModifiedNames: ReadonlySet<string> = new Set([
  'cache-control',
  'content-location',
  'date',
  'etag',
  'expires',
  'last-modified',
  'vary',
]);

/** What a 304 must not change, because the body stays (RFC 9111, 3.2). */
const ofBody: ReadonlySet<string> = new Set([
  'content-length',
  'content-encoding',
  'content-type',
  'content-range',
]);

/** What a {@link StoredAnswer} is made of. */
export interface StoredAnswerParts {
  readonly head: Head;
  readonly statusMessage: string;
  readonly verdict: Verdict;
  readonly asked: Asked;
  /** Tags of the route. */
  readonly tags: readonly string[];
  /** Name of the cache in `Cache-Status`. */
  readonly name: string;
}

/**
 * An answer as it is kept: what it takes to serve it is computed once, and only the two fields that change with time are made again,
 * at most once a second.
 */
export class StoredAnswer {
  readonly status: number;
  readonly statusMessage: string;
  readonly verdict: Verdict;
  readonly receivedAt: number;
  readonly etag: string | undefined;
  readonly lastModified: string | undefined;
  /** Its Content-Length. */
  readonly declaredBytes: number | undefined;
  readonly tags: ReadonlySet<string>;
  /** A refresh behind it failed; no other begins before this time. */
  refreshAfter = -Infinity;
  /** All of it; empty until {@link complete}. */
  body: Buffer = Buffer.alloc(0);
  /** Without fields of one connection, of one trace or of another cache's age. */
  readonly #pairs: readonly string[];
  readonly #varyValues: readonly string[];
  /** What the last request that matched said, letter by letter, where it was one line. */
  readonly #lastValues: (string | undefined)[] = [];
  readonly #name: string;
  #second = -1;
  #hitPairs: readonly string[] = [];

  constructor({ head, statusMessage, verdict, asked, tags, name }: StoredAnswerParts) {
    this.status = head.status;
    this.statusMessage = statusMessage;
    this.verdict = verdict;
    this.receivedAt = head.receivedAt;
    this.#pairs = keptPairs(head);
    this.#varyValues = verdict.vary.map((field) => varyValue(asked.raw, field));
    this.#name = name;
    [this.etag] = valuesOf(this.#pairs, 'etag');
    [this.lastModified] = valuesOf(this.#pairs, 'last-modified');
    const [length] = valuesOf(this.#pairs, 'content-length');
    this.declaredBytes = length === undefined ? undefined : Number(length);
    this.tags = new Set([...tags, ...tagsOf(this.#pairs)]);
  }

  /** Gives it the body, as one buffer of its own: a slice would hold all that it was cut from. */
  complete(chunks: readonly Buffer[], bytes: number): void {
    const body = Buffer.allocUnsafeSlow(bytes);
    let at = 0;
    for (const chunk of chunks) at += chunk.copy(body, at);
    this.body = body;
  }

  /** What it costs to keep, in bytes. */
  get bytes(): number {
    const text = [...this.#pairs, ...this.#varyValues, ...this.tags];
    return text.reduce((sum, part) => sum + part.length + overheadPerField, this.body.length + overheadBytes);
  }

  ageMs(now: number): number {
    return this.verdict.initialAgeMs + now - this.receivedAt;
  }

  /** How long it stays fresh; since when it is stale, below 0. */
  freshMs(now: number): number {
    return this.verdict.lifetimeMs - this.ageMs(now);
  }

  /** Whether it is an answer to this request, however old: chosen by the same values, and not assumed for somebody who may have another. */
  matches(asked: Asked): boolean {
    const { vary, isAssumed } = this.verdict;
    if (isAssumed && isPersonal(asked)) return false;
    for (let at = 0; at < vary.length; at++) {
      const values = valuesOf(asked.raw, vary[at] ?? '');
      // Mostly it is what the last one said, letter by letter.
      if (values.length === 1 && values[0] === this.#lastValues[at]) continue;
      if (varyValue(asked.raw, vary[at] ?? '') !== this.#varyValues[at]) return false;
      this.#lastValues[at] = values.length === 1 ? values[0] : undefined;
    }
    return true;
  }

  /** Whether it was chosen by the same values of the same fields. */
  isSameVariant(other: StoredAnswer): boolean {
    const key = (answer: StoredAnswer): string => [...answer.verdict.vary, ...answer.#varyValues].join('\n');
    return key(this) === key(other);
  }

  /** Whether it may be served without a word to an instance (RFC 9111, 4.2). */
  isFresh(wish: Wish | undefined, now: number): boolean {
    const left = this.freshMs(now);
    if (wish === undefined) return left > 0;
    if (wish.noCache || this.ageMs(now) > wish.maxAgeMs) return false;
    if (left > 0) return left >= wish.minFreshMs;
    return this.verdict.mayBeStale && wish.minFreshMs === 0 && -left <= wish.maxStaleMs;
  }

  /** Whether it may be served while another is fetched. */
  isUsableMeanwhile(wish: Wish | undefined, now: number): boolean {
    const isWelcome =
      wish === undefined || (!wish.noCache && wish.minFreshMs === 0 && this.ageMs(now) <= wish.maxAgeMs);
    return isWelcome && -this.freshMs(now) < this.verdict.staleWhileRevalidateMs;
  }

  /** Whether it may stand in for an instance that failed. */
  isUsableOnError(now: number): boolean {
    return -this.freshMs(now) < this.verdict.staleIfErrorMs;
  }

  /** Nothing can make it of use again. */
  isSpent(now: number): boolean {
    const { staleIfErrorMs, staleWhileRevalidateMs } = this.verdict;
    const hasValidator = this.etag !== undefined || this.lastModified !== undefined;
    return !hasValidator && -this.freshMs(now) >= Math.max(staleIfErrorMs, staleWhileRevalidateMs);
  }

  /** The head of a hit. The array is the same for a second: it is not to be changed. */
  hitPairs(now: number): readonly string[] {
    const second = Math.trunc(this.ageMs(now) / 1_000);
    if (second !== this.#second) {
      this.#second = second;
      const ttl = Math.trunc(this.verdict.lifetimeMs / 1_000) - second;
      this.#hitPairs = this.pairs(now, `${this.#name}; hit; ttl=${ttl}`);
    }
    return this.#hitPairs;
  }

  /** The head with its age and what the cache says about it. */
  pairs(now: number, cacheStatus: string): string[] {
    const age = String(Math.trunc(this.ageMs(now) / 1_000));
    return [...this.#pairs, 'Age', age, 'Cache-Status', cacheStatus];
  }

  /** Of these pairs, those of a 304. */
  static notModified(pairs: RawHeaders): string[] {
    return pairs.filter((_, at) => isOfNotModified((pairs[at - (at % 2)] ?? '').toLowerCase()));
  }

  /** The head that this one and a 304 give together (RFC 9111, 3.2): what the 304 names is replaced, and the time is that of the 304. */
  freshened(raw: RawHeaders): string[] {
    const news = endToEnd(raw, (name) => ofBody.has(name));
    const named = new Set([
      'date',
      ...news.filter((_, at) => at % 2 === 0).map((name) => name.toLowerCase()),
    ]);
    return [...endToEnd(this.#pairs, (name) => named.has(name)), ...news];
  }

  /** Whether a 304 speaks of this answer (RFC 9111, 4.3.3). */
  isConfirmedBy(raw: RawHeaders): boolean {
    const [etag] = valuesOf(raw, 'etag');
    if (etag !== undefined) return this.etag !== undefined && opaque(etag) === opaque(this.etag);
    const [lastModified] = valuesOf(raw, 'last-modified');
    return (
      lastModified === undefined || this.lastModified === undefined || lastModified === this.lastModified
    );
  }
}

/** An entity tag without its mark of weakness. */
export function opaque(etag: string): string {
  return etag.startsWith('W/') ? etag.slice(2) : etag;
}

function keptPairs({ raw, date }: Head): string[] {
  const kept = endToEnd(raw, (name) => name === 'age' || isMeshOwned(name));
  if (valuesOf(kept, 'date').length === 0) kept.push('Date', new Date(date).toUTCString());
  return kept;
}

function tagsOf(pairs: RawHeaders): string[] {
  const tags = valuesOf(pairs, 'cache-tag').join(',').split(',');
  return tags
    .map((tag) => tag.trim())
    .filter((tag) => tag !== '')
    .slice(0, maxTags);
}

/** One line for all lines of a field, blanks as they do not matter; case does not matter in the lists of content negotiation. */
function varyValue(raw: RawHeaders, name: string): string {
  const value = valuesOf(raw, name)
    .join(',')
    .replace(/[ \t]*,[ \t]*/g, ',')
    .trim();
  return name.startsWith('accept') ? value.toLowerCase() : value;
}

function isOfNotModified(name: string): boolean {
  return (
    notModifiedNames.has(name) ||
    name.startsWith('access-control-') ||
    name === 'age' ||
    name === 'cache-status'
  );
}
