const unreserved = /^[\w.~-]$/;
const escape = /%([0-9A-Fa-f]{2})/g;

/** `.`, `..` and their forms with a path parameter (`..;x`), which some servers resolve too. */
const dotSegment = /(?:^|\/)\.{1,2}(?:[/;]|$)/;

/** A request target in two halves; both are the bytes of the client. */
export interface RequestTarget {
  /** Up to the `?`. */
  readonly path: string;
  /** The `?` and what follows; empty when there is none. */
  readonly query: string;
  /** The path with its escaped unreserved characters decoded (RFC 3986, 6.2.2.2): what every rule reads. */
  readonly normalised: string;
}

/** Cuts a request target and makes the copy that routing reads. */
export function readTarget(url: string): RequestTarget {
  const mark = url.indexOf('?');
  const path = mark === -1 ? url : url.slice(0, mark);
  return { path, query: mark === -1 ? '' : url.slice(mark), normalised: normalise(path) };
}

/** Most targets: nothing in them that any of the rules below looks at. */
const plainPath = /^\/(?:[\w~!$&'()*+,;=:@-][\w~!$&'()*+,;=:@/-]*)?$/;
const oddInQuery = /[^\x21\x22\x24-\x7e\x80-\xff]/;
const escapedSlash = /%(?:2f|5c)/i;

/**
 * Why a target may not be passed on, or undefined. Everything that two servers may read differently is refused, so that
 * the path that was checked here is the path that the instance sees: dot segments (also escaped), an escaped slash, backslash or
 * NUL, a raw backslash, `//` at the start, a fragment, an escape that is none, control characters and blanks.
 *
 * @param keepsEscapedSlash lets `%2f` and `%5c` pass; what would be dot segments for a server that decodes them stays refused.
 */
export function targetFault(target: RequestTarget, keepsEscapedSlash = false): string | undefined {
  const { path, query, normalised } = target;
  if (plainPath.test(path) && !oddInQuery.test(query)) return undefined;
  if (!path.startsWith('/')) return 'the path must start with "/"';
  if (path.startsWith('//')) return 'the path must not start with "//"';
  if (path.includes('\\')) return 'the path must not hold a backslash';
  if (path.includes('#') || query.includes('#')) return 'a request target has no fragment';
  if (/[^\x21-\x7e\x80-\xff]/.test(path) || /[^\x21-\x7e\x80-\xff]/.test(query)) {
    return 'blanks and control characters must be escaped';
  }
  if (/%(?![0-9A-Fa-f]{2})/.test(path)) return 'a "%" in the path must start an escape';
  if (/%00/.test(path)) return 'the path must not hold an escaped slash, backslash or NUL';
  if (dotSegment.test(normalised.replace(/%(?:2f|5c)/gi, '/'))) return 'the path must not hold dot segments';
  return keepsEscapedSlash ? undefined : encodedSlashFault(target);
}

/** The one fault that a route may overlook: an escaped slash or backslash. */
export function encodedSlashFault({ path }: RequestTarget): string | undefined {
  return escapedSlash.test(path) ? 'the path must not hold an escaped slash, backslash or NUL' : undefined;
}

function normalise(path: string): string {
  if (!path.includes('%')) return path;
  return path.replace(escape, (text) => (isUnreservedEscape(text) ? decodeEscape(text) : text));
}

function isUnreservedEscape(text: string): boolean {
  return text.length === 3 && text.startsWith('%') && unreserved.test(decodeEscape(text));
}

function decodeEscape(text: string): string {
  return String.fromCharCode(Number.parseInt(text.slice(1), 16));
}
