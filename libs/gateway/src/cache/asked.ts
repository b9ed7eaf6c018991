import type { RawHeaders } from '../forward/hop-headers.ts';
import { CacheControl } from './cache-control.ts';

/** What a client wants of a cache (RFC 9111, 5.2.1). */
export interface Wish {
  /** Nothing of this exchange is kept, and nothing kept answers it. */
  readonly noStore: boolean;
  /** Only what the instance has confirmed just now. */
  readonly noCache: boolean;
  readonly onlyIfCached: boolean;
  readonly maxAgeMs: number;
  readonly minFreshMs: number;
  /** How stale the answer may be; -1 when it must be fresh. */
  readonly maxStaleMs: number;
}

/** What a cache has to know of a request, read from its raw headers in one walk. */
export interface Asked {
  readonly raw: RawHeaders;
  readonly host: string;
  /** Values of fields that change what an instance answers without being in the URI; they are part of the key. */
  readonly scope: string;
  readonly hasAuthorization: boolean;
  readonly hasCookie: boolean;
  readonly ifNoneMatch: string | undefined;
  readonly ifModifiedSince: string | undefined;
  /** Undefined when the client says nothing about caching. */
  readonly wish: Wish | undefined;
  /** It has a body, asks for a range, sets a condition for a change, asks for an upgrade or another method: the cache stays out. */
  readonly isOutside: boolean;
}

type Kind =
  | 'host'
  | 'scope'
  | 'outside'
  | 'length'
  | 'authorization'
  | 'cookie'
  | 'if-none-match'
  | 'if-modified-since'
  | 'cache-control'
  | 'pragma';

const kinds: ReadonlyMap<string, Kind> = new Map<string, Kind>([
  ['host', 'host'],
  [':authority', 'host'],
  // Only trusted proxies may send these; if they reach an instance, it writes links and redirects with them.
  ['x-forwarded-host', 'scope'],
  ['x-forwarded-proto', 'scope'],
  ['x-forwarded-scheme', 'scope'],
  ['x-forwarded-port', 'scope'],
  ['x-forwarded-prefix', 'scope'],
  ['range', 'outside'],
  ['if-range', 'outside'],
  ['if-match', 'outside'],
  ['if-unmodified-since', 'outside'],
  ['upgrade', 'outside'],
  ['transfer-encoding', 'outside'],
  ['content-length', 'length'],
  // Frameworks that honour these answer another question than the one in the request line.
  ['x-http-method-override', 'outside'],
  ['x-http-method', 'outside'],
  ['x-method-override', 'outside'],
  ['x-original-url', 'outside'],
  ['x-rewrite-url', 'outside'],
  ['authorization', 'authorization'],
  ['cookie', 'cookie'],
  ['if-none-match', 'if-none-match'],
  ['if-modified-since', 'if-modified-since'],
  ['cache-control', 'cache-control'],
  ['pragma', 'pragma'],
]);

/** Most names differ from all of ours by their length alone; no lower-case copy is made of those. */
const lengths = new Uint8Array(32);
for (const name of kinds.keys()) lengths[name.length] = 1;

/** Whether the client says who it is. */
export function isPersonal({ hasCookie, hasAuthorization }: Asked): boolean {
  return hasCookie || hasAuthorization;
}

/** Reads the raw headers of a request. Pure. */
export function readAsked(raw: RawHeaders): Asked {
  let host: string | undefined;
  let scope = '';
  let isOutside = false;
  let hasAuthorization = false;
  let hasCookie = false;
  let ifNoneMatch: string | undefined;
  let ifModifiedSince: string | undefined;
  let cacheControl: string[] | undefined;
  let pragma = '';
  for (let at = 0; at + 1 < raw.length; at += 2) {
    const name = raw[at] ?? '';
    if (lengths[name.length] !== 1) continue;
    const value = raw[at + 1] ?? '';
    switch (kinds.get(name) ?? kinds.get(name.toLowerCase())) {
      case 'host':
        isOutside ||= host !== undefined && host !== value.toLowerCase();
        host = value.toLowerCase();
        break;
      case 'scope':
        scope += `${name.toLowerCase()}:${value}\r`;
        break;
      case 'outside':
        isOutside = true;
        break;
      case 'length':
        isOutside ||= value !== '0';
        break;
      case 'authorization':
        hasAuthorization = true;
        break;
      case 'cookie':
        hasCookie = true;
        break;
      case 'if-none-match':
        ifNoneMatch = ifNoneMatch === undefined ? value : `${ifNoneMatch}, ${value}`;
        break;
      case 'if-modified-since':
        ifModifiedSince = value;
        break;
      case 'cache-control':
        (cacheControl ??= []).push(value);
        break;
      case 'pragma':
        pragma += value;
        break;
      default:
    }
  }
  const wish =
    cacheControl === undefined && pragma === '' ? undefined : readWish(cacheControl, pragma.toLowerCase());
  return {
    raw,
    host: host ?? '',
    scope,
    hasAuthorization,
    hasCookie,
    ifNoneMatch,
    ifModifiedSince,
    wish,
    isOutside,
  };
}

/** What cannot be read is taken for `no-cache`: the instance decides. `Pragma` counts where there is no Cache-Control (RFC 9111, 5.4). */
function readWish(fields: readonly string[] | undefined, pragma: string): Wish {
  const control = new CacheControl(fields ?? []);
  const seconds = (name: string, otherwise: number): number => {
    const value = control.seconds(name);
    return value === undefined ? otherwise : value * 1_000;
  };
  return {
    noStore: control.has('no-store'),
    noCache:
      control.isMalformed || control.has('no-cache') || (fields === undefined && pragma.includes('no-cache')),
    onlyIfCached: control.has('only-if-cached'),
    maxAgeMs: seconds('max-age', Infinity),
    minFreshMs: seconds('min-fresh', 0),
    maxStaleMs: seconds('max-stale', control.has('max-stale') ? Infinity : -1),
  };
}
