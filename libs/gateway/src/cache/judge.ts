import CacheSemantics from 'http-cache-semantics';
import { isMeshOwned, type RawHeaders } from '../forward/hop-headers.ts';
import type { Asked } from './asked.ts';
import { CacheControl } from './cache-control.ts';
import type { CacheRules } from './cache-policy.ts';

/** For how long an answer may be used, and for whom. Durations in ms. */
export interface Verdict {
  /** Age of the answer when it came (RFC 9111, 4.2.3). */
  readonly initialAgeMs: number;
  readonly lifetimeMs: number;
  /** How long beyond its lifetime it is served while a new one is fetched (RFC 5861, 3). */
  readonly staleWhileRevalidateMs: number;
  /** How long beyond its lifetime it is served when the instances fail (RFC 5861, 4). */
  readonly staleIfErrorMs: number;
  /** Whether a client's `max-stale` is heeded. */
  readonly mayBeStale: boolean;
  /** The instance said nothing; it is not for requests with a cookie or credentials then. */
  readonly isAssumed: boolean;
  /** Request fields, in lower case, that the answer was chosen by. */
  readonly vary: readonly string[];
}

/** An answer's head as it came, and when. */
export interface Head {
  readonly status: number;
  readonly raw: RawHeaders;
  /** Monotonic, in ms: when it was asked for, and when it came. */
  readonly sentAt: number;
  readonly receivedAt: number;
  /** Wall clock when it came, in ms since 1970. */
  readonly date: number;
}

/**
 * What is kept when it says itself for how long. Of the errors only "it is not there" (RFC 9110 has more, but one client's odd header can make an
 * instance say 405, 414 or 501 to all).
 */
const storable: ReadonlySet<number> = new Set([200, 203, 204, 300, 301, 302, 303, 307, 308, 404, 410]);

/** What the route's own times go for. */
const assumable: ReadonlySet<number> = new Set([200, 203, 204, 301, 308]);

/** Twice one of these, and nobody knows which one counts. */
const singletons = ['age', 'date', 'expires', 'etag', 'last-modified', 'content-length', 'content-type'];

/** What the gateway writes itself from parts of the key; other fields of the mesh an instance should not choose by. */
const known: ReadonlySet<string> = new Set(['x-forwarded-host', 'x-forwarded-proto', 'x-forwarded-port']);

const maxVaryNames = 8;

/**
 * Whether a shared cache may keep an answer, and for how long (RFC 9111, 3 and 4.2); undefined when it may not. Pure. The rules are
 * those of `http-cache-semantics`, which reads fields leniently; what is malformed, doubled or qualified is refused before it is asked.
 */
export function judge(asked: Asked, head: Head, rules: CacheRules): Verdict | undefined {
  if (!storable.has(head.status) || asked.wish?.noStore === true) return undefined;
  const fields = fold(head.raw);
  if (fields.has('set-cookie') || singletons.some((name) => (fields.get(name)?.length ?? 0) > 1))
    return undefined;
  const control = new CacheControl(fields.get('cache-control') ?? []);
  if (!isShareable(control) || isEventStream(fields)) return undefined;
  const initialAgeMs = ageOf(fields, head);
  const vary = varyOf(fields);
  if (initialAgeMs === undefined || vary === undefined) return undefined;
  const lifetimeMs = lifetimeOf(asked, head, fields, control, rules);
  if (lifetimeMs === undefined) return undefined;
  const isAssumed = !isExplicit(control, fields) && !control.has('public');
  const verdict = { initialAgeMs, lifetimeMs, isAssumed, vary, ...staleness(control, fields, rules) };
  const isOfUse =
    lifetimeMs > initialAgeMs ||
    verdict.staleIfErrorMs > 0 ||
    fields.has('etag') ||
    fields.has('last-modified');
  return isOfUse ? verdict : undefined;
}

function isShareable(control: CacheControl): boolean {
  if (control.isMalformed || control.has('no-store') || control.has('private')) return false;
  return !control.isQualified('no-cache');
}

/** It has no end, and a copy of its beginning is of no use to anyone. */
function isEventStream(fields: Fields): boolean {
  return fields.get('content-type')?.[0]?.toLowerCase().startsWith('text/event-stream') === true;
}

/** RFC 9111, 4.2.3; undefined when a field that it needs is none. */
function ageOf(fields: Fields, { sentAt, receivedAt, date }: Head): number | undefined {
  const age = fields.get('age')?.[0] ?? '0';
  const sent = Date.parse(fields.get('date')?.[0] ?? new Date(date).toUTCString());
  if (!/^\d{1,10}$/.test(age) || Number.isNaN(sent)) return undefined;
  return Math.max(0, date - sent, Number(age) * 1_000 + (receivedAt - sentAt));
}

function varyOf(fields: Fields): readonly string[] | undefined {
  const names = (fields.get('vary') ?? []).join(',').toLowerCase().split(',');
  const vary = [...new Set(names.map((name) => name.trim()))].filter((name) => name !== '').sort();
  const isKnown = vary.every(
    (name) => /^[!#$%&'+.^_`|~\w-]+$/.test(name) && (!isMeshOwned(name) || known.has(name)),
  );
  return isKnown && vary.length <= maxVaryNames ? vary : undefined;
}

function lifetimeOf(
  asked: Asked,
  { status, date }: Head,
  fields: Fields,
  control: CacheControl,
  rules: CacheRules,
): number | undefined {
  const isSaid = isExplicit(control, fields);
  const isPersonal = asked.hasCookie || asked.hasAuthorization;
  // RFC 9111, 3.5 is in the library; a cookie without a word of the instance is our own rule.
  if (!isSaid && (!assumable.has(status) || (asked.hasCookie && !control.has('public')))) return undefined;
  const policy = new CacheSemantics(
    { method: 'GET', headers: asked.hasAuthorization ? { authorization: '-' } : {} },
    { status, headers: plain(fields, control, date) },
    { shared: true, cacheHeuristic: isPersonal ? 0 : rules.heuristicRatio, immutableMinTimeToLive: 0 },
  );
  if (!policy.storable()) return undefined;
  const lifetimeMs = policyLifetimeMs(policy);
  if (isSaid || isPersonal || lifetimeMs > 0 || control.has('no-cache')) return lifetimeMs;
  return isPragmaNoCache(fields) ? 0 : rules.ttlMs;
}

function isExplicit(control: CacheControl, fields: Fields): boolean {
  return control.has('s-maxage') || control.has('max-age') || fields.has('expires');
}

/** The freshness lifetime alone; `timeToLive` would add the times of RFC 5861. */
function policyLifetimeMs(policy: CacheSemantics): number {
  return (policy as unknown as { maxAge(): number }).maxAge() * 1_000;
}

/**
 * The fields as the library wants them, with the directives in lower case. `proxy-revalidate` is left out: it forbids stale use (see
 * below), not, as the library has it, any.
 */
function plain(fields: Fields, control: CacheControl, date: number): Record<string, string> {
  const directives = ['no-cache', 'must-revalidate', 'public', 's-maxage', 'max-age'].filter((name) =>
    control.has(name),
  );
  const text = directives.map((name) => {
    const seconds = control.seconds(name);
    return seconds === undefined || !name.endsWith('age') ? name : `${name}=${seconds}`;
  });
  const headers: Record<string, string> = { date: fields.get('date')?.[0] ?? new Date(date).toUTCString() };
  if (fields.has('cache-control')) headers['cache-control'] = text.join(', ');
  for (const name of ['expires', 'last-modified', 'pragma']) {
    const value = fields.get(name)?.[0];
    if (value !== undefined) headers[name] = value;
  }
  return headers;
}

/**
 * Must-revalidate and its kin forbid every stale use. `s-maxage` means `proxy-revalidate` too (RFC 9111, 5.2.2.10), unless the
 * answer itself gives times of RFC 5861: then it wants both.
 */
function staleness(
  control: CacheControl,
  fields: Fields,
  rules: CacheRules,
): Pick<Verdict, 'staleWhileRevalidateMs' | 'staleIfErrorMs' | 'mayBeStale'> {
  const mustAsk = ['no-cache', 'must-revalidate', 'proxy-revalidate'].some((name) => control.has(name));
  if (mustAsk || isPragmaNoCache(fields)) {
    return { staleWhileRevalidateMs: 0, staleIfErrorMs: 0, mayBeStale: false };
  }
  const mayBeStale = !control.has('s-maxage');
  const time = (name: string, ofRoute: number): number => {
    const seconds = control.seconds(name);
    return seconds === undefined ? (mayBeStale ? ofRoute : 0) : seconds * 1_000;
  };
  return {
    staleWhileRevalidateMs: time('stale-while-revalidate', rules.staleWhileRevalidateMs),
    staleIfErrorMs: time('stale-if-error', rules.staleIfErrorMs),
    mayBeStale,
  };
}

function isPragmaNoCache(fields: Fields): boolean {
  return (
    !fields.has('cache-control') && fields.get('pragma')?.join().toLowerCase().includes('no-cache') === true
  );
}

type Fields = ReadonlyMap<string, readonly string[]>;

function fold(raw: RawHeaders): Fields {
  const fields = new Map<string, string[]>();
  for (let at = 0; at + 1 < raw.length; at += 2) {
    const name = (raw[at] ?? '').toLowerCase();
    const values = fields.get(name);
    if (values === undefined) fields.set(name, [raw[at + 1] ?? '']);
    else values.push(raw[at + 1] ?? '');
  }
  return fields;
}
