import { describe, expect, test } from '@jest/globals';
import { toProblem } from '@mesh/problem';
import { VirtualTime } from '@mesh/resilience/testing';
import { decodeJwt, jwtVerify, SignJWT } from 'jose';
import type { Refusal } from '../passage.ts';
import { passageOf, valueOf, type PassageParts } from '../testing/passage.ts';
import { createApiKey } from './api-key.ts';
import { ApiKeys } from './api-keys.ts';
import { authSchema, type AuthRulesInput } from './auth-rules.ts';
import { authentication, type AuthenticationOptions } from './authentication.ts';
import { IdentitySigner } from './identity-signer.ts';
import { JwtVerifier } from './jwt-verifier.ts';

const secret = 'a secret of at least thirty-two bytes';
const time = new VirtualTime();
const jwt = new JwtVerifier({ keys: { secret }, issuer: false, audience: false, clock: time.wallClock });
const made = createApiKey();
const apiKeys = new ApiKeys([{ id: made.id, hash: made.hash, scopes: ['orders:read'], subject: 'shop' }]);
const signer = new IdentitySigner({ key: { secret: `mesh ${secret}` }, clock: time.wallClock });

const token = (scope = 'orders:read', sub = 'ada', life = 3_600): Promise<string> =>
  new SignJWT({ sub, scope })
    .setProtectedHeader({ alg: 'HS256' })
    .setExpirationTime(Math.floor(time.wallClock.now() / 1000) + life)
    .sign(Buffer.from(secret));

/** Sends one request through the stage of a route; what the client and the instance would see of it. */
async function pass(
  parts: PassageParts,
  rules: AuthRulesInput = {},
  options: AuthenticationOptions = { jwt, apiKeys },
) {
  const passage = passageOf(parts);
  const refusal: Refusal | undefined = await authentication({ ...options, rules })(passage);
  return {
    passage,
    code: refusal?.code,
    status: refusal?.status,
    body: refusal === undefined ? '' : JSON.stringify(toProblem(refusal)),
    challenge: valueOf(passage.answerHeaders, 'www-authenticate'),
    identity: passage.identity,
  };
}

const bearer = (text: string): PassageParts => ({ headers: ['Authorization', `Bearer ${text}`] });

test('a token or an API key lets in, and says who calls', async () => {
  expect((await pass(bearer(await token()))).identity).toMatchObject({ subject: 'ada', by: 'jwt' });
  expect((await pass({ headers: ['X-API-Key', made.key] })).identity).toMatchObject({
    subject: 'shop',
    by: 'api-key',
  });
  expect((await pass({ headers: ['authorization', `bEARER ${await token()}`] })).identity).toMatchObject({
    subject: 'ada',
  });
});

test('a known credential is answered without a promise', async () => {
  const stage = authentication({ jwt, apiKeys });
  const headers = bearer(await token());
  await stage(passageOf(headers));
  expect(stage(passageOf(headers))).toBeUndefined();
  expect(stage(passageOf({ headers: ['x-api-key', made.key] }))).toBeUndefined();
});

describe('who is not let in', () => {
  test('without a credential: 401 and what is asked for', async () => {
    const { code, status, challenge, identity } = await pass({});
    expect([code, status, challenge, identity]).toEqual([
      'ERR_UNAUTHORIZED',
      401,
      'Bearer realm="mesh", ApiKey realm="mesh"',
      undefined,
    ]);
    expect((await pass({}, { by: ['api-key'] })).challenge).toBe('ApiKey realm="mesh"');
    expect((await pass({ headers: ['authorization', 'Basic YTpi'] })).challenge).not.toContain('error');
  });

  test('with a bad one: 401 invalid_token (RFC 6750), in the same words whatever is wrong', async () => {
    const expired = await token('orders:read', 'ada', -60);
    const good = await token();
    const answers = await Promise.all(
      [expired, `${good}x`, 'x', good.replace(/\..*\./, '..')].map((text) => pass(bearer(text))),
    );
    for (const { code, challenge } of answers) {
      expect([code, challenge]).toEqual([
        'ERR_UNAUTHORIZED',
        'Bearer realm="mesh", error="invalid_token", ApiKey realm="mesh"',
      ]);
    }
    expect(new Set(answers.map(({ body }) => body)).size).toBe(1);
    expect(answers[0]?.body).not.toMatch(/expire|signature|alg|claim|key set/i);
    expect((await pass({ headers: ['x-api-key', `${made.key}x`] })).body).toBe(answers[0]?.body);
  });

  test('without the scope: 403 insufficient_scope, which names it', async () => {
    const { code, status, challenge, identity } = await pass(bearer(await token()), {
      scopes: ['orders:write', 'a'],
    });
    expect([code, status, identity]).toEqual(['ERR_FORBIDDEN', 403, undefined]);
    expect(challenge).toContain('error="insufficient_scope", scope="orders:write a"');
  });

  test('with a credential twice: 400, for two servers would read different ones', async () => {
    const good = await token();
    const twice = [...(bearer(good).headers ?? []), ...(bearer(good).headers ?? [])];
    expect(await pass({ headers: twice })).toMatchObject({ code: 'ERR_BAD_REQUEST', status: 400 });
    expect((await pass({ headers: ['X-Api-Key', made.key, 'x-api-key', made.key] })).code).toBe(
      'ERR_BAD_REQUEST',
    );
  });

  test('when no key can be had: 503, for the caller did nothing wrong', async () => {
    const fetch = () => Promise.reject(new Error('down'));
    const remote = new JwtVerifier({
      keys: { jwksUrl: 'http://login/', fetch },
      issuer: false,
      audience: false,
    });
    expect(await pass(bearer('e30.e30.'), {}, { jwt: remote })).toMatchObject({ code: 'ERR_UNAUTHORIZED' });
    expect(await pass(bearer('eyJhbGciOiJSUzI1NiJ9.e30.AAAA'), {}, { jwt: remote })).toMatchObject({
      code: 'ERR_UNAVAILABLE',
      status: 503,
      challenge: undefined,
    });
  });

  test('a bad token is not made good by an API key beside it', async () => {
    const headers = ['authorization', 'Bearer x', 'x-api-key', made.key];
    expect((await pass({ headers })).code).toBe('ERR_UNAUTHORIZED');
  });

  test('a kind of credential that the route does not take is none', async () => {
    expect((await pass(bearer(await token()), { by: ['api-key'] })).code).toBe('ERR_UNAUTHORIZED');
    expect((await pass({ headers: ['x-api-key', made.key] }, { by: ['jwt'] })).code).toBe('ERR_UNAUTHORIZED');
    expect((await pass({ headers: ['x_api_key', made.key] })).code).toBe('ERR_UNAUTHORIZED');
  });
});

test('required: false looks at nothing; "optional" only at what is there', async () => {
  expect(await pass(bearer('x'), { required: false })).toMatchObject({
    code: undefined,
    identity: undefined,
  });
  expect(await pass({}, { required: 'optional' })).toMatchObject({ code: undefined, identity: undefined });
  expect((await pass(bearer('x'), { required: 'optional' })).code).toBe('ERR_UNAUTHORIZED');
  expect((await pass(bearer(await token()), { required: 'optional' })).identity).toMatchObject({
    subject: 'ada',
  });
});

test.each<[string, AuthRulesInput, string, boolean]>([
  ['all, all there', { scopes: ['a', 'b'] }, 'b a c', true],
  ['all, one missing', { scopes: ['a', 'b'] }, 'a', false],
  ['any, one there', { scopes: ['a', 'b'], match: 'any' }, 'b', true],
  ['any, none there', { scopes: ['a', 'b'], match: 'any' }, 'c', false],
  ['a scope is a whole word', { scopes: ['orders'] }, 'orders:read xorders', false],
  ['scopes have case', { scopes: ['Orders'] }, 'orders', false],
  ['names of objects are no scopes', { scopes: ['constructor'] }, 'a', false],
])('scopes: %s', async (_name, rules, scope, isIn) => {
  expect((await pass(bearer(await token(scope)), rules)).code).toBe(isIn ? undefined : 'ERR_FORBIDDEN');
});

describe('an API key in the query', () => {
  const options = { apiKeys, apiKeyQuery: 'api_key' };
  const url = (query: string): PassageParts => ({ url: `/orders?${query}` });

  test('is taken only where that was asked for', async () => {
    expect((await pass(url(`api_key=${made.key}`), {}, options)).identity).toMatchObject({ subject: 'shop' });
    expect((await pass(url(`api_key=${made.key}`), {}, { apiKeys })).code).toBe('ERR_UNAUTHORIZED');
    expect((await pass(url(`API_KEY=${made.key}`), {}, options)).code).toBe('ERR_UNAUTHORIZED');
  });

  test('must be there once, and not beside the header', async () => {
    expect((await pass(url(`api_key=${made.key}&api%5fkey=x`), {}, options)).code).toBe('ERR_BAD_REQUEST');
    const both = { ...url(`api_key=${made.key}`), headers: ['x-api-key', made.key] };
    expect((await pass(both, {}, options)).code).toBe('ERR_BAD_REQUEST');
  });
});

test.each<[AuthRulesInput, string[], string[]]>([
  [{}, [], ['x-api-key']],
  [{ credential: 'pass' }, [], []],
  [{ credential: 'strip' }, ['authorization'], ['x-api-key']],
])('%j: what is withheld from the instance of a token, and of an API key', async (rules, ofToken, ofKey) => {
  expect((await pass(bearer(await token()), rules)).passage.withheldHeaders ?? []).toEqual(ofToken);
  expect((await pass({ headers: ['x-api-key', made.key] }, rules)).passage.withheldHeaders ?? []).toEqual(
    ofKey,
  );
});

describe('the identity for the instance', () => {
  const options = { jwt, apiKeys, signer };

  test('is signed for its service, and says what there is to say', async () => {
    const { passage } = await pass(bearer(await token('a b')), {}, options);
    const text = String(valueOf(passage.requestHeaders, 'x-mesh-identity'));
    const { payload, protectedHeader } = await jwtVerify(text, Buffer.from(`mesh ${secret}`), {
      currentDate: new Date(time.wallClock.now()),
    });
    const at = Math.floor(time.wallClock.now() / 1000);
    expect(protectedHeader).toEqual({ alg: 'HS256', typ: 'mesh-identity+jwt' });
    expect(payload).toEqual({
      iss: 'mesh-gateway',
      aud: 'order-service',
      sub: 'ada',
      scope: 'a b',
      by: 'jwt',
      jti: passage.trace.requestId,
      iat: at,
      exp: at + 60,
    });
  });

  test('is one text for half its life, and then another one', async () => {
    const stage = authentication(options);
    const headers = bearer(await token('a', 'bob'));
    const texts: (string | undefined)[] = [];
    for (let request = 0; request < 3; request++) {
      const passage = passageOf(headers);
      await stage(passage);
      texts.push(valueOf(passage.requestHeaders, 'x-mesh-identity'));
      if (request === 0) time.advanceSync(29_999);
      if (request === 1) time.advanceSync(1);
    }
    expect(texts[0]).toBe(texts[1]);
    expect(texts[2]).not.toBe(texts[0]);
    expect(stage(passageOf(headers))).toBeUndefined();
  });

  test('is another one for another service and another caller', async () => {
    const one = passageOf({ ...bearer(await token()), service: 'user-service' });
    await authentication(options)(one);
    const other = passageOf({ headers: ['x-api-key', made.key] });
    await authentication(options)(other);
    const claims = [one, other].map((passage) =>
      decodeJwt(String(valueOf(passage.requestHeaders, 'x-mesh-identity'))),
    );
    expect(claims).toMatchObject([
      { aud: 'user-service', sub: 'ada', by: 'jwt' },
      { aud: 'order-service', sub: 'shop', by: 'api-key' },
    ]);
  });

  test('nobody has one who is not let in', async () => {
    for (const parts of [{}, bearer('x')]) {
      const { passage } = await pass({ ...parts, url: '/orders' }, {}, options);
      expect(passage.requestHeaders).toEqual([]);
    }
    expect((await pass({}, { required: 'optional' }, options)).passage.requestHeaders).toEqual([]);
    expect((await pass(bearer(await token()), { scopes: ['x'] }, options)).passage.requestHeaders).toEqual(
      [],
    );
  });

  test('services with made-up names take no memory for long', async () => {
    const stage = authentication(options);
    const headers = bearer(await token('a', 'eve'));
    for (let at = 0; at < 200; at++) await stage(passageOf({ ...headers, service: `made-up-${at}` }));
    const passage = passageOf({ ...headers, service: 'made-up-199' });
    expect(stage(passage)).toBeUndefined();
    expect(decodeJwt(String(valueOf(passage.requestHeaders, 'x-mesh-identity')))).toMatchObject({
      aud: 'made-up-199',
    });
  });

  test('a key that is none is refused at the start', () => {
    expect(() => new IdentitySigner({ key: { secret: 'short' } })).toThrow(
      'secret must have at least 32 bytes, got 5',
    );
    expect(() => new IdentitySigner({ key: { privateKey: 'none' } })).toThrow(
      'privateKey must be an Ed25519 key',
    );
    expect(() => new IdentitySigner({ key: { secret }, lifetimeMs: 1 })).toThrow(
      'lifetimeMs must be an integer >= 2000',
    );
  });
});

test.each<[string, AuthenticationOptions]>([
  ['by must name what is set up (nothing), got nothing', {}],
  ['by must name what is set up (jwt), got api-key', { jwt, rules: { by: ['api-key'] } }],
  ['apiKeyHeader must be the name of a header', { apiKeys, apiKeyHeader: 'x y' }],
  ['realm must be plain text', { jwt, realm: 'a"b' }],
  ['scopes need required: true', { jwt, rules: { required: 'optional', scopes: ['a'] } }],
  ['must be a scope token', { jwt, rules: { scopes: ['a b'] } }],
  ['Unrecognized key: "scope"', { jwt, rules: { scope: ['a'] } as AuthRulesInput }],
])('%s', (words, options) => {
  expect(() => authentication(options)).toThrow(RangeError);
  expect(() => authentication(options)).toThrow(words);
});

test('the schema has its defaults', () => {
  expect(authSchema.parse({})).toEqual({ required: true, scopes: [], match: 'all' });
});
