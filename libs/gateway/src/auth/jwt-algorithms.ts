import type { KeyObject } from 'node:crypto';

/** Signature algorithms (RFC 7518, RFC 8037) that can be allowed. `none` is not among them. */
export type JwtAlgorithm =
  | 'HS256'
  | 'HS384'
  | 'HS512'
  | 'RS256'
  | 'RS384'
  | 'RS512'
  | 'PS256'
  | 'PS384'
  | 'PS512'
  | 'ES256'
  | 'ES384'
  | 'ES512'
  | 'EdDSA'
  | 'Ed25519';

const rsa = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512'] as const;
const hmac = ['HS256', 'HS384', 'HS512'] as const;
const edwards = ['EdDSA', 'Ed25519'] as const;
const byCurve: Readonly<Record<string, JwtAlgorithm>> = {
  prime256v1: 'ES256',
  secp384r1: 'ES384',
  secp521r1: 'ES512',
};

/** What public keys of a set may be used with. A shared secret is never one of these. */
const asymmetric: readonly JwtAlgorithm[] = [...rsa, ...Object.values(byCurve), ...edwards];

/** What a key of this kind can do, the usual one first; `secret` and `set` have no key to look at. */
function fitting(key: KeyObject | 'secret' | 'set'): readonly JwtAlgorithm[] {
  if (key === 'secret') return hmac;
  if (key === 'set') return asymmetric;
  switch (key.asymmetricKeyType) {
    case 'rsa':
      return rsa;
    case 'rsa-pss':
      return ['PS256', 'PS384', 'PS512'];
    case 'ed25519':
      return edwards;
    case 'ec':
      return [byCurve[key.asymmetricKeyDetails?.namedCurve ?? '']].filter((name) => name !== undefined);
    default:
      return [];
  }
}

/**
 * The algorithms that tokens may be signed with, bound to the kind of key: what is wished must fit it, so that no token can have a public
 * key taken for a secret (CVE-2015-9235 and the many after it).
 *
 * @throws RangeError when the key can do none, or not all, of them.
 */
export function allowedAlgorithms(
  key: KeyObject | 'secret' | 'set',
  wished: readonly JwtAlgorithm[] | undefined,
): JwtAlgorithm[] {
  const possible = fitting(key);
  const allowed = wished ?? usual(key, possible);
  const stranger = allowed.find((name) => !possible.includes(name));
  if (stranger !== undefined || allowed.length === 0) {
    throw new RangeError(
      `jwt: algorithms must be some of ${possible.join(', ') || 'none'} for this kind of key, got ${stranger ?? 'none'}`,
    );
  }
  return [...allowed];
}

function usual(
  key: KeyObject | 'secret' | 'set',
  possible: readonly JwtAlgorithm[],
): readonly JwtAlgorithm[] {
  if (key === 'set') return ['RS256', 'ES256', 'EdDSA', 'Ed25519'];
  if (possible === edwards) return edwards;
  return possible.slice(0, 1);
}
