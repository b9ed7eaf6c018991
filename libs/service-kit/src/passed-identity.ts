import { createPublicKey, createSecretKey, type KeyObject } from 'node:crypto';
import { jwtVerify, type JWTPayload } from 'jose';
import { LRUCache } from 'lru-cache';

/** Who calls through the gateway, as the gateway has found and signed it. */
export interface PassedIdentity {
  /** Subject of the token, or of the API key. */
  readonly subject: string;
  readonly scopes: readonly string[];
  /** What the gateway had it proved with. */
  readonly by: 'jwt' | 'api-key';
}

/** A key that the gateway signs with: the public half (PEM) of its Ed25519 key, or the secret that it shares with the services. */
export type MeshKey = { readonly publicKey: string } | { readonly secret: string };

/** What {@link identityVerifier} takes. */
export interface IdentityVerifierOptions {
  /** Name of this service; what was signed for another one is refused. */
  readonly service: string;
  /** The key of the gateway, or several while it changes. */
  readonly keys: MeshKey | readonly MeshKey[];
  /** `iss` of the gateway. Default `mesh-gateway`. */
  readonly issuer?: string;
  /** How far clocks may be apart, in ms. Default 5 000. */
  readonly clockSkewMs?: number;
  /** Wall clock in ms since 1970. Default `Date`. */
  readonly clock?: { now(): number };
}

/** Says who calls, by the text of `x-mesh-identity`; undefined when it does not hold. At once when the text is known; it never rejects. */
export type VerifyIdentity = (
  text: string,
) => PassedIdentity | undefined | Promise<PassedIdentity | undefined>;

interface Known {
  readonly identity: PassedIdentity;
  readonly untilMs: number;
}

const maxKnown = 1_000;
const maxLength = 8_192;

/**
 * Makes the function by which a service verifies who calls: the header `x-mesh-identity` that the gateway signs for it. Signature, kind of token,
 * issuer, audience (this service) and time are looked at; the algorithm is that of the key, never the token's. The gateway uses one
 * text for many requests, so the last 1 000 are remembered until they expire.
 *
 * @throws RangeError when a key cannot be used.
 * @example
 * const verifyIdentity = identityVerifier({ service: 'order-service', keys: { publicKey } });
 * const caller = await verifyIdentity(String(request.headers['x-mesh-identity']));
 */
export function identityVerifier(options: IdentityVerifierOptions): VerifyIdentity {
  const { service, issuer = 'mesh-gateway', clockSkewMs = 5_000, clock = Date } = options;
  const keys = [options.keys].flat().map(readKey);
  if (keys.length === 0) throw new RangeError('identityVerifier: keys must hold at least one key');
  if (!(clockSkewMs >= 0))
    throw new RangeError(`identityVerifier: clockSkewMs must be a number >= 0, got ${clockSkewMs}`);
  const rules = {
    issuer,
    audience: service,
    typ: 'mesh-identity+jwt',
    requiredClaims: ['exp', 'sub'],
    clockTolerance: clockSkewMs / 1_000,
  };
  const known = new LRUCache<string, Known>({ max: maxKnown });

  const verify = async (text: string): Promise<PassedIdentity | undefined> => {
    for (const key of keys) {
      try {
        const algorithms = [key.type === 'secret' ? 'HS256' : 'EdDSA'];
        const currentDate = new Date(clock.now());
        const { payload } = await jwtVerify(text, key, { ...rules, algorithms, currentDate });
        const identity = identityOf(payload);
        known.set(text, { identity, untilMs: Math.ceil((payload.exp ?? 0) + rules.clockTolerance) * 1_000 });
        return identity;
      } catch {
        // Perhaps it is another of the keys; who asks learns nothing of why.
      }
    }
    return undefined;
  };
  return (text) => {
    if (text.length > maxLength) return undefined;
    const found = known.get(text);
    return found !== undefined && clock.now() < found.untilMs ? found.identity : verify(text);
  };
}

function identityOf({ sub, scope, by }: JWTPayload): PassedIdentity {
  if (typeof sub !== 'string' || (by !== 'jwt' && by !== 'api-key')) throw new Error('no identity');
  const scopes = typeof scope === 'string' ? scope.split(' ').filter((name) => name !== '') : [];
  return Object.freeze({ subject: sub, scopes: Object.freeze(scopes), by });
}

function readKey(key: MeshKey): KeyObject {
  if ('secret' in key) {
    const bytes = Buffer.from(key.secret);
    if (bytes.length >= 32 && !bytes.includes('-----BEGIN')) return createSecretKey(bytes);
    throw new RangeError('identityVerifier: secret must have at least 32 bytes, and be no PEM key');
  }
  try {
    const found = createPublicKey(key.publicKey);
    if (found.asymmetricKeyType === 'ed25519') return found;
  } catch (cause) {
    throw new RangeError('identityVerifier: publicKey must be an Ed25519 key as PEM', { cause });
  }
  throw new RangeError('identityVerifier: publicKey must be an Ed25519 key as PEM');
}
