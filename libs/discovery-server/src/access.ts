import { createHash, timingSafeEqual } from 'node:crypto';
import { HttpProblem } from '@mesh/problem';
import type { FastifyRequest } from 'fastify';

/** What a caller may do: look up and watch, register instances of its own, or decide about those of others. */
export type Scope = 'read' | 'register' | 'admin';

/** A secret and what it opens. */
export interface AccessToken {
  /** Visible ASCII, 16 to 4096 characters. */
  readonly token: string;
  /** Who shows it, for audit events and quotas. */
  readonly name: string;
  readonly scopes: readonly Scope[];
}

/** Options of an {@link Access}. */
export interface AccessOptions {
  /** Default none: then only this machine may call. */
  readonly tokens?: readonly AccessToken[];
  /** Whose lookups need a token of scope `read`. Default `off-loopback`. */
  readonly reads?: 'open' | 'off-loopback' | 'token';
}

/** Who asks. */
export interface Caller {
  /** Name of the token, else the address. */
  readonly name: string;
  readonly isLocal: boolean;
}

interface KnownToken {
  readonly digest: Buffer;
  readonly name: string;
  readonly scopes: ReadonlySet<Scope>;
}

/**
 * Who may do what. With tokens, whatever changes something needs one; reading needs one from other machines. Without
 * tokens this machine may do everything, and no other machine anything.
 */
export class Access {
  readonly #tokens: readonly KnownToken[];
  readonly #reads: 'open' | 'off-loopback' | 'token';

  /** @throws RangeError naming the option that makes no sense. */
  constructor({ tokens = [], reads = 'off-loopback' }: AccessOptions = {}) {
    this.#tokens = tokens.map(readToken);
    this.#reads = reads;
  }

  /** Whoever asks, whether or not it may. */
  callerOf(request: FastifyRequest): Caller {
    const token = this.#find(request.headers.authorization);
    return { name: token?.name ?? request.ip, isLocal: isLoopbackCaller(request) };
  }

  /**
   * Whoever asks, if it may.
   *
   * @throws HttpProblem `ERR_UNAUTHORIZED` without a token that is known, `ERR_FORBIDDEN` when that one does not open this.
   */
  admit(request: FastifyRequest, scope: Scope): Caller {
    const isLocal = isLoopbackCaller(request);
    const token = this.#find(request.headers.authorization);
    const caller = { name: token?.name ?? request.ip, isLocal };
    if (!this.#needsToken(scope, isLocal)) return caller;
    if (token === undefined) throw new HttpProblem('ERR_UNAUTHORIZED', this.#missing());
    if (token.scopes.has(scope)) return caller;
    throw new HttpProblem('ERR_FORBIDDEN', `the token of ${token.name} has no scope ${scope}`);
  }

  #needsToken(scope: Scope, isLocal: boolean): boolean {
    if (scope !== 'read') return this.#tokens.length > 0 || !isLocal;
    return this.#reads === 'token' || (this.#reads === 'off-loopback' && !isLocal);
  }

  #missing(): string {
    if (this.#tokens.length === 0)
      return 'this registry has no tokens, so that it is for its own machine only';
    return 'Authorization: Bearer <token> is missing or wrong';
  }

  #find(authorization: string | undefined): KnownToken | undefined {
    if (authorization === undefined || this.#tokens.length === 0) return undefined;
    const presented = /^bearer ([\x21-\x7e]{1,4096})$/i.exec(authorization)?.[1];
    if (presented === undefined) return undefined;
    const digest = digestOf(presented);
    return this.#tokens.find((known) => timingSafeEqual(known.digest, digest));
  }
}

function readToken({ token, name, scopes }: AccessToken): KnownToken {
  if (!/^[\x21-\x7e]{1,4096}$/.test(token)) {
    throw new RangeError('access: token must be 1 to 4096 visible ASCII characters');
  }
  if (scopes.length === 0) throw new RangeError(`access: scopes of ${name} must name at least one`);
  return { digest: digestOf(token), name, scopes: new Set(scopes) };
}

/** Of equal length whatever the text, so that comparing takes equal time. */
function digestOf(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}

/** By the connection itself, and by the address that a proxy the app trusts has told. A Unix socket is this machine. */
function isLoopbackCaller({ ip, socket }: FastifyRequest): boolean {
  const { remoteAddress } = socket;
  return isLoopback(remoteAddress) && (ip === remoteAddress || isLoopback(ip));
}

function isLoopback(address: string | undefined): boolean {
  // Nearly always; the rest are other spellings of the same.
  if (address === '127.0.0.1') return true;
  return address === undefined || address === '' || /^(::1|(::ffff:)?127\.[\d.]+)$/.test(address);
}
