import { createPublicKey, createSecretKey, type KeyObject } from 'node:crypto';
import { createLocalJWKSet, type JSONWebKeySet, type JWK, type JWTVerifyGetKey } from 'jose';
import { allowedAlgorithms, type JwtAlgorithm } from './jwt-algorithms.ts';
import { RemoteKeys, type RemoteKeysOptions } from './remote-keys.ts';

interface Allowing {
  /**
   * Algorithms that tokens may be signed with; they must fit the kind of key. Default: HS256 for a secret, RS256 for RSA, the one of its
   * curve for an elliptic key, EdDSA for Ed25519; RS256, ES256 and EdDSA for a set.
   */
  readonly algorithms?: readonly JwtAlgorithm[];
}

/** Where the keys that tokens are verified with come from. */
export type JwtKeys =
  /** A shared secret: text or bytes, at least as long as the hash (RFC 7518, 3.2; 32 bytes for HS256). */
  | (Allowing & { readonly secret: string | Uint8Array })
  /** One public key: PEM (SPKI or a certificate) or JWK. */
  | (Allowing & { readonly publicKey: string | JWK })
  /** A set of public keys that is written down. */
  | (Allowing & { readonly jwks: JSONWebKeySet })
  /** A set of public keys at a URL; fetched when first needed, and again when a token names a key that is not in it. */
  | (Allowing & RemoteKeysOptions & { readonly jwksUrl: string | URL });

/** Keys, ready for use. */
export interface KeySource {
  readonly algorithms: JwtAlgorithm[];
  readonly key: JWTVerifyGetKey;
}

/**
 * Opens a source of keys.
 *
 * @param clock wall clock in ms.
 * @param onChange called when keys were added or taken away.
 * @throws RangeError when a key cannot be read, is too weak, or does not fit the algorithms.
 */
export function openKeys(keys: JwtKeys, clock: { now(): number }, onChange: () => void): KeySource {
  if ('secret' in keys) return fixed(secretKey(keys.secret, keys.algorithms), 'secret', keys.algorithms);
  if ('publicKey' in keys) {
    const key = publicKey(keys.publicKey);
    return fixed(key, key, keys.algorithms);
  }
  const algorithms = allowedAlgorithms('set', keys.algorithms);
  if ('jwks' in keys) return { algorithms, key: readSet(keys.jwks) };
  const remote = new RemoteKeys(keys.jwksUrl, keys, clock, onChange);
  return { algorithms, key: (header, token) => remote.find(header, token) };
}

function fixed(
  key: KeyObject,
  kind: KeyObject | 'secret',
  wished: readonly JwtAlgorithm[] | undefined,
): KeySource {
  return { algorithms: allowedAlgorithms(kind, wished), key: () => key };
}

function secretKey(secret: string | Uint8Array, algorithms: readonly JwtAlgorithm[] = ['HS256']): KeyObject {
  const bytes = typeof secret === 'string' ? Buffer.from(secret) : Buffer.from(secret);
  if (bytes.includes('-----BEGIN')) throw new RangeError('jwt: secret must not be a PEM key');
  const least = Math.max(...algorithms.map((name) => Number(name.slice(2)) / 8 || 32));
  if (bytes.length < least) {
    throw new RangeError(`jwt: secret must have at least ${least} bytes, got ${bytes.length}`);
  }
  return createSecretKey(bytes);
}

function publicKey(source: string | JWK): KeyObject {
  let key: KeyObject;
  try {
    // Of a private key only its public half is kept.
    key = createPublicKey(typeof source === 'string' ? source : { key: source, format: 'jwk' });
  } catch (cause) {
    throw new RangeError('jwt: publicKey must be a public key as PEM or JWK', { cause });
  }
  const { modulusLength } = key.asymmetricKeyDetails ?? {};
  if (modulusLength !== undefined && modulusLength < 2048) {
    throw new RangeError(`jwt: publicKey must have at least 2048 bits, got ${modulusLength}`);
  }
  return key;
}

function readSet(jwks: JSONWebKeySet): JWTVerifyGetKey {
  try {
    return createLocalJWKSet(jwks);
  } catch (cause) {
    throw new RangeError('jwt: jwks must be a JSON Web Key Set', { cause });
  }
}
