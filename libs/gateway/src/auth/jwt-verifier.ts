import { hash } from 'node:crypto';
import { decodeProtectedHeader, jwtVerify, type JWTPayload } from 'jose';
import { LRUCache } from 'lru-cache';
import type { Identity } from '../passage.ts';
import { openKeys, type JwtKeys, type KeySource } from './jwt-keys.ts';
import { wholeNumber } from '../range.ts';
import { KeysUnavailable } from './remote-keys.ts';

/** What {@link JwtVerifier} takes. */
export interface JwtOptions {
  readonly keys: JwtKeys;
  /** `iss` that a token must have, or some of which it must have one. `false`: not looked at. */
  readonly issuer: string | readonly string[] | false;
  /** `aud` that a token must have, or some of which it must have one. `false`: not looked at, so a token for anybody opens this door. */
  readonly audience: string | readonly string[] | false;
  /** `typ` that the head of a token must have, such as `at+jwt` (RFC 9068). Default: not looked at. */
  readonly type?: string;
  /** Claims that must be there beside `exp` and `sub`. Default: none. */
  readonly requiredClaims?: readonly string[];
  /** How far clocks may be apart, in ms. Default 5 000. */
  readonly clockSkewMs?: number;
  /** Longest token in characters. Default 8 192. */
  readonly maxTokenLength?: number;
  /** Longest time in ms that a verified token is taken on trust. Default 300 000. */
  readonly maxCacheMs?: number;
  /** Most verified tokens that are remembered; they take at most 16 MiB. Default 10 000. */
  readonly maxCached?: number;
  /** Asked for each fresh verification: whether the token was taken back. If it throws, it was. Call `forget()` after a change. Default: never. */
  readonly isRevoked?: (claims: Readonly<Record<string, unknown>>) => boolean | Promise<boolean>;
  /** Wall clock in ms since 1970. Default `Date`. */
  readonly clock?: { now(): number };
}

/** Who calls; or that the token is not valid; or that it cannot be checked because no key can be had. */
export type Verdict = Identity | 'invalid' | 'unavailable';

interface Verified {
  readonly identity: Identity;
  /** Wall clock in ms. */
  readonly untilMs: number;
}

/** Refusals are remembered for a moment only: a key that is new must open soon. */
const refusalMs = 1_000;
const maxRefusals = 1_000;
const maxRevoked = 100_000;
/** Of all tokens that are remembered, in characters. */
const maxCachedLength = 16 * 1024 * 1024;

/**
 * Verifies JSON Web Tokens (RFC 7519, 8725) with jose and remembers the good ones, by the whole token, until they expire: a token that is known
 * is answered at once, without a promise. Make one and give it to all routes.
 *
 * @throws RangeError when an option is out of its range or a key cannot be used.
 * @example
 * const jwt = new JwtVerifier({
 *   keys: { jwksUrl: 'https://login.example.com/.well-known/jwks.json' },
 *   issuer: 'https://login.example.com/',
 *   audience: 'https://api.example.com',
 * });
 */
export class JwtVerifier {
  readonly #keys: KeySource;
  readonly #clock: { now(): number };
  readonly #maxTokenLength: number;
  readonly #maxCacheMs: number;
  readonly #skewSeconds: number;
  readonly #isRevoked: (claims: Readonly<Record<string, unknown>>) => boolean | Promise<boolean>;
  readonly #rules: NonNullable<Parameters<typeof jwtVerify>[2]>;
  readonly #verified: LRUCache<string, Verified>;
  readonly #refusedUntil = new LRUCache<string, number>({ max: maxRefusals });
  readonly #revoked = new LRUCache<string, true>({ max: maxRevoked });
  readonly #pending = new Map<string, Promise<Verdict>>();
  /** Goes up when all that was verified became doubtful; what was begun before changes nothing after. */
  #generation = 0;

  constructor(options: JwtOptions) {
    this.#clock = options.clock ?? Date;
    this.#maxTokenLength = wholeNumber('jwt: maxTokenLength', options.maxTokenLength ?? 8_192, 1);
    this.#maxCacheMs = wholeNumber('jwt: maxCacheMs', options.maxCacheMs ?? 300_000, 0);
    this.#skewSeconds = wholeNumber('jwt: clockSkewMs', options.clockSkewMs ?? 5_000, 0) / 1_000;
    this.#isRevoked = options.isRevoked ?? (() => false);
    this.#verified = new LRUCache({
      max: wholeNumber('jwt: maxCached', options.maxCached ?? 10_000, 1),
      maxSize: maxCachedLength,
      sizeCalculation: (_entry, token) => token.length + 1,
    });
    this.#keys = openKeys(options.keys, this.#clock, () => {
      this.forget();
    });
    this.#rules = readRules(options, this.#keys, this.#skewSeconds);
  }

  /** Verified tokens that are remembered. */
  get size(): number {
    return this.#verified.size;
  }

  /** Who shows this token. At once when the token is known; it never throws and never rejects. */
  check(token: string): Verdict | Promise<Verdict> {
    if (token.length > this.#maxTokenLength) return 'invalid';
    const known = this.#verified.get(token);
    if (known !== undefined) {
      if (this.#clock.now() < known.untilMs) return known.identity;
      this.#verified.delete(token);
    }
    if (this.#clock.now() < (this.#refusedUntil.get(token) ?? -Infinity)) return 'invalid';
    return this.#pending.get(token) ?? this.#begin(token);
  }

  /** Takes a token back: it is refused from now on. The latest 100 000 are known, in this process; for more, use `isRevoked`. */
  revoke(token: string): void {
    const content = contentOf(token);
    this.#revoked.set(hash('sha256', content), true);
    for (const known of this.#verified.keys()) if (contentOf(known) === content) this.#verified.delete(known);
  }

  /** Forgets what was verified, so that every token is looked at anew: after a change of keys or of what `isRevoked` says. */
  forget(): void {
    this.#generation++;
    this.#verified.clear();
    this.#refusedUntil.clear();
    this.#pending.clear();
  }

  #begin(token: string): Promise<Verdict> {
    const verdict = this.#decide(token);
    this.#pending.set(token, verdict);
    const done = (): void => {
      if (this.#pending.get(token) === verdict) this.#pending.delete(token);
    };
    void verdict.then(done);
    return verdict;
  }

  async #decide(token: string): Promise<Verdict> {
    const generation = this.#generation;
    try {
      const verified = await this.#verify(token);
      if (this.#revoked.has(hash('sha256', contentOf(token)))) return 'invalid';
      if (generation === this.#generation) this.#verified.set(token, verified);
      return verified.identity;
    } catch (error) {
      if (error instanceof KeysUnavailable) return 'unavailable';
      if (generation === this.#generation) this.#refusedUntil.set(token, this.#clock.now() + refusalMs);
      return 'invalid';
    }
  }

  async #verify(token: string): Promise<Verified> {
    // jose refuses extensions that it does not know; here none is known.
    if (decodeProtectedHeader(token).crit !== undefined) throw new Error('crit');
    const now = this.#clock.now();
    const { payload } = await jwtVerify(token, this.#keys.key, {
      ...this.#rules,
      currentDate: new Date(now),
    });
    const identity = identityOf(payload);
    if (await this.#isRevoked(identity.claims)) throw new Error('revoked');
    const expiresMs = Math.ceil((payload.exp ?? 0) + this.#skewSeconds) * 1_000;
    return { identity, untilMs: Math.min(expiresMs, now + this.#maxCacheMs) };
  }
}

/** What is signed. A signature has several spellings (an ECDSA one even two values), so a token is taken back by what it says. */
function contentOf(token: string): string {
  return token.slice(0, token.lastIndexOf('.'));
}

function readRules(
  { issuer, audience, type, requiredClaims = [] }: JwtOptions,
  { algorithms }: KeySource,
  clockTolerance: number,
): NonNullable<Parameters<typeof jwtVerify>[2]> {
  return {
    algorithms,
    clockTolerance,
    requiredClaims: ['exp', 'sub', ...requiredClaims],
    ...(issuer !== false && { issuer: named('issuer', issuer) }),
    ...(audience !== false && { audience: named('audience', audience) }),
    ...(type !== undefined && { typ: type }),
  };
}

function named(option: string, value: string | readonly string[]): string[] {
  const names = typeof value === 'string' ? [value] : [...value];
  if (names.length > 0 && names.every((name) => name !== '')) return names;
  throw new RangeError(`jwt: ${option} must name at least one, or be false`);
}

function identityOf(payload: JWTPayload): Identity {
  if (typeof payload.sub !== 'string' || payload.sub === '') throw new Error('sub');
  const claims = Object.create(null) as Record<string, unknown>;
  // A copy without a prototype, and without a name that would give it one where somebody merges it.
  for (const [name, value] of Object.entries(payload)) if (name !== '__proto__') claims[name] = value;
  return Object.freeze({
    subject: payload.sub,
    scopes: Object.freeze(scopesOf(claims)),
    by: 'jwt',
    claims: Object.freeze(claims),
  });
}

/** `scope` (RFC 8693, 4.2: names between blanks) or, where there is none, `scp` (a list or the same text). */
function scopesOf(claims: Readonly<Record<string, unknown>>): string[] {
  const said = claims['scope'] ?? claims['scp'];
  const names: unknown[] = typeof said === 'string' ? said.split(' ') : Array.isArray(said) ? said : [];
  // What holds a blank would be two names at the next reader.
  return names.filter((name): name is string => typeof name === 'string' && /^[\x21-\x7e]+$/.test(name));
}
