import type { RawHeaders } from '../forward/hop-headers.ts';

/** More than one value where there must be one: two servers would read different ones. */
export const several = Symbol('several');

/** The value of a field (its name in lower case) that must not be there twice; undefined when it is not there. */
export function soleValue(raw: RawHeaders, name: string): string | typeof several | undefined {
  let found: string | undefined;
  for (let at = 0; at + 1 < raw.length; at += 2) {
    const candidate = raw[at] ?? '';
    if (candidate.length !== name.length || candidate.toLowerCase() !== name) continue;
    if (found !== undefined) return several;
    found = raw[at + 1] ?? '';
  }
  return found;
}

/** The one value of a parameter of a query (`?a=b&...`), decoded. */
export function soleParameter(query: string, name: string): string | typeof several | undefined {
  if (!query.includes('=')) return undefined;
  const values = new URLSearchParams(query).getAll(name);
  return values.length > 1 ? several : values[0];
}

/** The token of `Bearer <token>` (RFC 6750, 2.1); undefined when it is another scheme. */
export function bearerToken(authorization: string): string | undefined {
  if (authorization.length < 8 || authorization[6] !== ' ') return undefined;
  if (!authorization.startsWith('Bearer') && authorization.slice(0, 6).toLowerCase() !== 'bearer') {
    return undefined;
  }
  return authorization.slice(7);
}
