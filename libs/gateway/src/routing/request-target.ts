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

/**
 * Why a target may not be passed on, or undefined. Everything that two servers may read differently is refused, so that
 * the path that was checked here is the path that the instance sees: dot segments (also escaped), an escaped slash, backslash or
 * NUL, a raw backslash, `//` at the start, a fragment, an escape that is none, control characters and blanks.
 */
export function targetFault({ path, query, normalised }: RequestTarget): string | undefined {
  if (!path.startsWith('/')) return 'the path must start with "/"';
  if (path.startsWith('//')) return 'the path must not start with "//"';
  if (path.includes('\\')) return 'the path must not hold a backslash';
  if (path.includes('#') || query.includes('#')) return 'a request target has no fragment';
  if (/[^\x21-\x7e\x80-\xff]/.test(path) || /[^\x21-\x7e\x80-\xff]/.test(query)) {
    return 'blanks and control characters must be escaped';
  }
  if (/%(?![0-9A-Fa-f]{2})/.test(path)) return 'a "%" in the path must start an escape';
  if (/%(?:2f|5c|00)/i.test(path)) return 'the path must not hold an escaped slash, backslash or NUL';
  if (dotSegment.test(normalised)) return 'the path must not hold dot segments';
  return undefined;
}

/** The raw path from the place on that is `length` characters into its normalised copy. */
export function afterPrefix({ path, normalised }: RequestTarget, length: number): string {
  if (path.length === normalised.length) return path.slice(length);
  let at = 0;
  for (let passed = 0; passed < length; passed++) at += isUnreservedEscape(path.slice(at, at + 3)) ? 3 : 1;
  return path.slice(at);
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
