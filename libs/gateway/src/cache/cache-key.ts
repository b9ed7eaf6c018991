import type { TLSSocket } from 'node:tls';
import { valuesOf } from '../forward/hop-headers.ts';
import { readTarget } from '../routing/request-target.ts';
import type { Passage } from '../passage.ts';
import type { Asked } from './asked.ts';
import type { CacheRules } from './cache-policy.ts';

/** What an answer is kept under. */
export interface CacheKey {
  /** Host and normalised path: what a change of the resource makes stale. */
  readonly place: string;
  /** All of it. */
  readonly full: string;
  /** The query for the instance when the policy has a say in it. */
  readonly query: string | undefined;
}

/**
 * The parts are divided by line feeds, which no host, path, query, name of a route or header can hold; only the last part, the identity, is free
 * text, and JSON escapes it. `GET` is left out: nothing else is kept.
 */
export function cacheKey(passage: Passage, asked: Asked, rules: CacheRules): CacheKey {
  const { target, identity } = passage;
  const { socket } = passage.request.raw;
  const scheme = (socket as Partial<TLSSocket>).encrypted === true ? 'https' : 'http';
  const place = placeOf(asked.host, target.normalised);
  const query = rules.queryKeys === undefined ? undefined : allowedQuery(target.query, rules.queryKeys);
  // The route and its service, because two routes may lead one path to two services, by a header for example.
  let full = `${place}\n${query ?? target.query}\n${scheme}\n${passage.routeId}\n${passage.service}\n${asked.scope}`;
  for (const name of rules.keyHeaders) full += `\r${valuesOf(asked.raw, name.toLowerCase()).join('\r')}`;
  if (identity !== undefined && rules.partition === 'identity') {
    // A subject is unique for its issuer only (RFC 7519, 4.1.2).
    const issuer = typeof identity.claims['iss'] === 'string' ? identity.claims['iss'] : '';
    full += `\n${JSON.stringify([identity.by, issuer, identity.subject])}`;
  }
  return { place, full, query };
}

/** Where a resource is, whatever its query. */
export function placeOf(host: string, normalisedPath: string): string {
  return `${host}\n${normalisedPath}`;
}

/** Where a `Location` of an answer leads, when it is on the same host (RFC 9111, 4.4: others are not ours to touch). */
export function placeOnHost(location: string | undefined, host: string, path: string): string | undefined {
  const base = URL.parse(`http://${host}${path}`);
  const url = location === undefined || base === null ? null : URL.parse(location, base);
  if (url === null || url.host !== base?.host) return undefined;
  return placeOf(host, readTarget(url.pathname).normalised);
}

/** The allowed parameters, sorted by name; those of one name keep their order. Names are compared as they are spelt. */
export function allowedQuery(query: string, allowed: readonly string[]): string {
  const kept = query
    .slice(1)
    .split('&')
    .map((pair) => ({ pair, name: pair.split('=', 1)[0] ?? '' }))
    .filter(({ name }) => allowed.includes(name))
    .sort((a, b) => (a.name < b.name ? -1 : Number(a.name > b.name)));
  return kept.length === 0 ? '' : `?${kept.map(({ pair }) => pair).join('&')}`;
}
