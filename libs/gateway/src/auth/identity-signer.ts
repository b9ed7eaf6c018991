import { createPrivateKey, createSecretKey, type KeyObject } from 'node:crypto';
import { SignJWT } from 'jose';
import type { Identity } from '../passage.ts';
import { wholeNumber } from '../range.ts';

/** What {@link IdentitySigner} takes. */
export interface IdentitySignerOptions {
  /**
   * `privateKey`: Ed25519 as PEM (PKCS #8); services hold its public half and can only verify. `secret`: at least 32 bytes that all
   * services share; simpler, but then each of them can sign too.
   */
  readonly key: { readonly privateKey: string } | { readonly secret: string };
  /** `iss` of what is signed. Default `mesh-gateway`. */
  readonly issuer?: string;
  /** How long what is signed is good for, in ms; it is used for the first half of it. At least 2 000. Default 60 000. */
  readonly lifetimeMs?: number;
  /** Wall clock in ms since 1970. Default `Date`. */
  readonly clock?: { now(): number };
}

interface Signed {
  token: string | Promise<string>;
  readonly freshUntilMs: number;
}

/** Services that a caller may have assertions for at once; the names come from URLs. */
const maxServices = 64;

/**
 * Signs who calls, for one service: a compact JWS with `iss`, `aud` (the service), `sub`, `scope`, `by`, `jti`, `iat` and `exp`. What was signed for
 * a caller and a service serves for half its life, so that most requests only pass a string on. `jti` is therefore the
 * id of the request that it was signed for, not of each that it goes with.
 *
 * It is remembered beside the identity object, which lives as long as the verified token is remembered.
 *
 * @throws RangeError when an option is out of its range or the key cannot be used.
 */
export class IdentitySigner {
  readonly #key: KeyObject;
  readonly #alg: 'EdDSA' | 'HS256';
  readonly #issuer: string;
  readonly #lifetimeMs: number;
  readonly #clock: { now(): number };
  readonly #signed = new WeakMap<Identity, Map<string, Signed>>();

  constructor({ key, issuer = 'mesh-gateway', lifetimeMs = 60_000, clock = Date }: IdentitySignerOptions) {
    this.#key = readKey(key);
    this.#alg = this.#key.type === 'secret' ? 'HS256' : 'EdDSA';
    this.#issuer = issuer;
    this.#lifetimeMs = wholeNumber('identitySigner: lifetimeMs', lifetimeMs, 2_000);
    this.#clock = clock;
  }

  /** What to tell this service about this caller. At once while it is fresh. */
  sign(identity: Identity, service: string, requestId: string): string | Promise<string> {
    const now = this.#clock.now();
    const services = this.#servicesOf(identity);
    const known = services.get(service);
    if (known !== undefined && now < known.freshUntilMs) return known.token;
    if (services.size >= maxServices) services.clear();
    const token = this.#make(identity, service, requestId, now);
    const signed: Signed = { token, freshUntilMs: now + this.#lifetimeMs / 2 };
    services.set(service, signed);
    token.then(
      (text) => (signed.token = text),
      () => services.delete(service),
    );
    return token;
  }

  #servicesOf(identity: Identity): Map<string, Signed> {
    let services = this.#signed.get(identity);
    if (services === undefined) this.#signed.set(identity, (services = new Map<string, Signed>()));
    return services;
  }

  #make(identity: Identity, service: string, requestId: string, now: number): Promise<string> {
    const { subject, scopes, by } = identity;
    const issuedAt = Math.floor(now / 1_000);
    return new SignJWT({ scope: scopes.join(' '), by })
      .setProtectedHeader({ alg: this.#alg, typ: 'mesh-identity+jwt' })
      .setIssuer(this.#issuer)
      .setSubject(subject)
      .setAudience(service)
      .setJti(requestId)
      .setIssuedAt(issuedAt)
      .setExpirationTime(Math.ceil((now + this.#lifetimeMs) / 1_000))
      .sign(this.#key);
  }
}

function readKey(key: IdentitySignerOptions['key']): KeyObject {
  if ('secret' in key) {
    const bytes = Buffer.from(key.secret);
    if (bytes.length >= 32) return createSecretKey(bytes);
    throw new RangeError(`identitySigner: secret must have at least 32 bytes, got ${bytes.length}`);
  }
  try {
    const found = createPrivateKey(key.privateKey);
    if (found.asymmetricKeyType === 'ed25519') return found;
  } catch (cause) {
    throw new RangeError('identitySigner: privateKey must be an Ed25519 key as PEM', { cause });
  }
  throw new RangeError('identitySigner: privateKey must be an Ed25519 key as PEM');
}
