import type { Identity, Passage, Refusal, Stage } from '../passage.ts';
import type { ApiKeys } from './api-keys.ts';
import { readAuthRules, type AuthRules, type AuthRulesInput } from './auth-rules.ts';
import { challenges, unavailable, type Challenges } from './challenge.ts';
import { bearerToken, several, soleParameter, soleValue } from './credentials.ts';
import type { IdentitySigner } from './identity-signer.ts';
import type { JwtVerifier, Verdict } from './jwt-verifier.ts';

/** What {@link authentication} takes. */
export interface AuthenticationOptions {
  /** Checks `Authorization: Bearer <token>`. Shared by all routes. Default: no tokens. */
  readonly jwt?: JwtVerifier;
  /** Checks API keys. Shared by all routes. Default: no API keys. */
  readonly apiKeys?: ApiKeys;
  /** Header that an API key comes in. Default `x-api-key`. */
  readonly apiKeyHeader?: string;
  /** Parameter of the query that an API key may come in as well. It then stands in logs, and the instance sees it. Default: none. */
  readonly apiKeyQuery?: string;
  /** Tells the instance who calls, signed. Default: it is not told. */
  readonly signer?: IdentitySigner;
  /** Name of what is protected, for `WWW-Authenticate`. Default `mesh`. */
  readonly realm?: string;
  /** What the route asks for. Default: a valid credential of any kind. */
  readonly rules?: AuthRulesInput;
}

/** The field in which an instance is told who calls. Who is outside cannot write it: the proxy drops `x-mesh-*` of clients. */
export const identityHeader = 'x-mesh-identity';

/**
 * The stage that finds out who calls. A bearer token decides alone when the route takes tokens and one is shown; otherwise the API key
 * does. Known tokens and API keys are answered at once, without a promise.
 *
 * Answers 401 `ERR_UNAUTHORIZED` or 403 `ERR_FORBIDDEN` with `WWW-Authenticate` (RFC 6750), 400 when a credential is there twice, 503 when
 * there is no key to check a token with. It sets `passage.identity`.
 *
 * @throws RangeError when an option is out of its range, or the rules ask for what is not set up.
 * @example const stage = authentication({ jwt, apiKeys, signer, rules: { scopes: ['orders:write'] } });
 */
export function authentication(options: AuthenticationOptions): Stage {
  const rules = readAuthRules(options.rules ?? {});
  if (rules.required === false) return () => undefined;
  const route = new ProtectedRoute(options, rules);
  return (passage) => route.admit(passage);
}

class ProtectedRoute {
  readonly #jwt: JwtVerifier | undefined;
  readonly #apiKeys: ApiKeys | undefined;
  readonly #apiKeyHeader: string;
  readonly #apiKeyQuery: string | undefined;
  readonly #signer: IdentitySigner | undefined;
  readonly #rules: AuthRules;
  readonly #refuse: Challenges;
  /** Names of fields that are withheld from the instance, by what was proved with. */
  readonly #withheld: Readonly<Record<Identity['by'], readonly string[]>>;

  constructor(options: AuthenticationOptions, rules: AuthRules) {
    const { apiKeyHeader = 'x-api-key', realm = 'mesh' } = options;
    if (!/^[\w-]{1,64}$/.test(apiKeyHeader)) {
      throw new RangeError(`auth: apiKeyHeader must be the name of a header, got ${apiKeyHeader}`);
    }
    if (!/^[\w .:/-]{1,64}$/.test(realm))
      throw new RangeError(`auth: realm must be plain text, got ${realm}`);
    const by = readMethods(options, rules);
    this.#rules = rules;
    this.#jwt = by.includes('jwt') ? options.jwt : undefined;
    this.#apiKeys = by.includes('api-key') ? options.apiKeys : undefined;
    this.#apiKeyHeader = apiKeyHeader.toLowerCase();
    this.#apiKeyQuery = options.apiKeyQuery;
    this.#signer = options.signer;
    this.#refuse = challenges(realm, by, rules.scopes);
    this.#withheld = {
      jwt: rules.credential === 'strip' ? ['authorization'] : [],
      'api-key': rules.credential === 'pass' ? [] : [this.#apiKeyHeader],
    };
  }

  admit(passage: Passage): Refusal | undefined | Promise<Refusal | undefined> {
    const verdict = this.#ask(passage);
    if (verdict instanceof Promise) return verdict.then((later) => this.#settle(passage, later));
    return this.#settle(passage, verdict);
  }

  /** Has the credential checked that is shown; undefined when there is none. */
  #ask(passage: Passage): Verdict | typeof several | undefined | Promise<Verdict> {
    const { rawHeaders } = passage.request.raw;
    if (this.#jwt !== undefined) {
      const field = soleValue(rawHeaders, 'authorization');
      if (field === several) return several;
      const token = field === undefined ? undefined : bearerToken(field);
      if (token !== undefined) return this.#jwt.check(token);
    }
    if (this.#apiKeys === undefined) return undefined;
    let key = soleValue(rawHeaders, this.#apiKeyHeader);
    if (this.#apiKeyQuery !== undefined) {
      const parameter = soleParameter(passage.target.query, this.#apiKeyQuery);
      if (parameter !== undefined) key = key === undefined ? parameter : several;
    }
    return typeof key === 'string' ? this.#apiKeys.check(key) : key;
  }

  #settle(
    passage: Passage,
    verdict: Verdict | typeof several | undefined,
  ): Refusal | undefined | Promise<Refusal | undefined> {
    if (typeof verdict === 'object') return this.#letIn(passage, verdict);
    if (verdict === undefined) {
      return this.#rules.required === 'optional' ? undefined : this.#refuse.missing(passage);
    }
    if (verdict === several) return this.#refuse.ambiguous(passage);
    return verdict === 'unavailable' ? unavailable() : this.#refuse.invalid(passage);
  }

  #letIn(passage: Passage, identity: Identity): Refusal | undefined | Promise<Refusal | undefined> {
    const { scopes, match } = this.#rules;
    const has = (scope: string): boolean => identity.scopes.includes(scope);
    if (scopes.length > 0 && !(match === 'all' ? scopes.every(has) : scopes.some(has))) {
      return this.#refuse.insufficient(passage);
    }
    passage.identity = identity;
    const withheld = this.#withheld[identity.by];
    if (withheld.length > 0) {
      const before = passage.withheldHeaders ?? [];
      passage.withheldHeaders = before.length === 0 ? withheld : [...before, ...withheld];
    }
    if (this.#signer === undefined) return undefined;
    const signed = this.#signer.sign(identity, passage.service, passage.trace.requestId);
    if (typeof signed === 'string') {
      passage.requestHeaders.push(identityHeader, signed);
      return undefined;
    }
    return signed.then(
      (later) => {
        passage.requestHeaders.push(identityHeader, later);
        return undefined;
      },
      () => unavailable(),
    );
  }
}

/** What the route takes: what its rules name, else all that is set up. */
function readMethods({ jwt, apiKeys }: AuthenticationOptions, { by }: AuthRules): Identity['by'][] {
  const possible: Identity['by'][] = [];
  if (jwt !== undefined) possible.push('jwt');
  if (apiKeys !== undefined) possible.push('api-key');
  const wished = by ?? possible;
  const missing = wished.find((method) => !possible.includes(method));
  if (missing !== undefined || wished.length === 0) {
    throw new RangeError(
      `auth: by must name what is set up (${possible.join(', ') || 'nothing'}), got ${missing ?? 'nothing'}`,
    );
  }
  return [...new Set(wished)];
}
