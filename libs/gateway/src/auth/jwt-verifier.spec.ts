import { createHmac, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { describe, expect, jest, test } from '@jest/globals';
import { VirtualTime } from '@mesh/resilience/testing';
import fc from 'fast-check';
import { SignJWT, UnsecuredJWT } from 'jose';
import type { JwtAlgorithm } from './jwt-algorithms.ts';
import { JwtVerifier, type JwtOptions } from './jwt-verifier.ts';

const secret = 'a secret of at least thirty-two bytes';
const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
const rsaPem = rsa.publicKey.export({ type: 'spki', format: 'pem' });
const p256 = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const p384 = generateKeyPairSync('ec', { namedCurve: 'P-384' });
const p521 = generateKeyPairSync('ec', { namedCurve: 'P-521' });
const ed25519 = generateKeyPairSync('ed25519');
const pemOf = (key: KeyObject): string => key.export({ type: 'spki', format: 'pem' });

const time = new VirtualTime();
const seconds = (): number => Math.floor(time.wallClock.now() / 1000);

function verifier(options: Partial<JwtOptions> = {}): JwtVerifier {
  return new JwtVerifier({
    keys: { secret },
    issuer: 'https://login.test/',
    audience: 'api',
    clock: time.wallClock,
    ...options,
  });
}

const good = (): Record<string, unknown> => ({
  iss: 'https://login.test/',
  aud: 'api',
  sub: 'ada',
  scope: 'orders:read orders:write',
  exp: seconds() + 60,
});

type SignKey = Parameters<SignJWT['sign']>[0];

function signed(
  claims: Record<string, unknown> = good(),
  { key = Buffer.from(secret), ...head }: { key?: SignKey; alg?: string; kid?: string; typ?: string } = {},
): Promise<string> {
  return new SignJWT(claims).setProtectedHeader({ alg: 'HS256', ...head }).sign(key);
}

const base64url = (text: string): string => Buffer.from(text).toString('base64url');

/** A token whose JSON is written by hand. */
function handMade(head: string, body: string, key: string | Buffer = secret): string {
  const content = `${base64url(head)}.${base64url(body)}`;
  return `${content}.${createHmac('sha256', key).update(content).digest('base64url')}`;
}

test('says who calls', async () => {
  expect(await verifier().check(await signed())).toEqual({
    subject: 'ada',
    scopes: ['orders:read', 'orders:write'],
    by: 'jwt',
    claims: expect.objectContaining({ sub: 'ada', iss: 'https://login.test/' }),
  });
});

test.each<[JwtAlgorithm, JwtOptions['keys'], SignKey]>([
  ['HS384', { secret: secret.repeat(2), algorithms: ['HS384'] }, Buffer.from(secret.repeat(2))],
  ['HS512', { secret: secret.repeat(2), algorithms: ['HS512'] }, Buffer.from(secret.repeat(2))],
  ['RS256', { publicKey: rsaPem }, rsa.privateKey],
  ['RS512', { publicKey: rsaPem, algorithms: ['RS512'] }, rsa.privateKey],
  ['PS256', { publicKey: rsaPem, algorithms: ['PS256'] }, rsa.privateKey],
  ['ES256', { publicKey: pemOf(p256.publicKey) }, p256.privateKey],
  ['ES384', { publicKey: p384.publicKey.export({ format: 'jwk' }) }, p384.privateKey],
  ['ES512', { publicKey: pemOf(p521.publicKey) }, p521.privateKey],
  ['EdDSA', { publicKey: pemOf(ed25519.publicKey) }, ed25519.privateKey],
  ['RS256', { jwks: { keys: [{ ...rsa.publicKey.export({ format: 'jwk' }), kid: 'a' }] } }, rsa.privateKey],
])('%s', async (alg, keys, key) => {
  const token = await signed(good(), { alg, key, kid: 'a' });
  expect(await verifier({ keys }).check(token)).toMatchObject({ subject: 'ada' });
});

describe('which algorithm counts is never the word of the token', () => {
  test('alg none (CVE-2015-9235)', async () => {
    const none = new UnsecuredJWT(good()).encode();
    expect(await verifier().check(none)).toBe('invalid');
    for (const alg of ['none', 'None', 'NONE', 'nOnE']) {
      const [, body] = none.split('.');
      expect(await verifier().check(`${base64url(JSON.stringify({ alg }))}.${body ?? ''}.`)).toBe('invalid');
    }
  });

  test('RS256 to HS256 with the public key as the secret (CVE-2016-10555)', async () => {
    for (const publicKey of [rsaPem, rsaPem.trim()]) {
      const forged = handMade('{"alg":"HS256"}', JSON.stringify(good()), publicKey);
      expect(await verifier({ keys: { publicKey: rsaPem } }).check(forged)).toBe('invalid');
      const jwks = { keys: [rsa.publicKey.export({ format: 'jwk' })] };
      expect(await verifier({ keys: { jwks } }).check(forged)).toBe('invalid');
    }
  });

  test('an algorithm of the same key that is not allowed', async () => {
    const token = await signed(good(), { alg: 'PS256', key: rsa.privateKey });
    expect(await verifier({ keys: { publicKey: rsaPem } }).check(token)).toBe('invalid');
  });

  test('a set with a symmetric key in it opens nothing by it', async () => {
    const jwks = { keys: [{ kty: 'oct', k: base64url(secret), kid: 's' }] };
    expect(await verifier({ keys: { jwks } }).check(await signed(good(), { kid: 's' }))).toBe('invalid');
  });

  test('a key that the token brings with it is not used (CVE-2018-0114)', async () => {
    const jwk = p256.publicKey.export({ format: 'jwk' });
    const token = await new SignJWT(good())
      .setProtectedHeader({ alg: 'ES256', jwk, jku: 'http://127.0.0.1:1/', x5u: 'http://127.0.0.1:1/' })
      .sign(p256.privateKey);
    const jwks = {
      keys: [{ ...generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey.export({ format: 'jwk' }) }],
    };
    expect(await verifier({ keys: { jwks } }).check(token)).toBe('invalid');
  });

  test.each(['../../../../dev/null', "' OR 1=1 --", '__proto__', 'constructor', '\u0000', 'x'.repeat(1_000)])(
    'kid %j finds no key',
    async (kid) => {
      const jwks = { keys: [{ ...p256.publicKey.export({ format: 'jwk' }), kid: 'real' }] };
      const token = await signed(good(), { alg: 'ES256', key: p256.privateKey, kid });
      expect(await verifier({ keys: { jwks } }).check(token)).toBe('invalid');
    },
  );

  test('crit is refused, known or not', async () => {
    for (const head of [
      '{"alg":"HS256","crit":["x"],"x":1}',
      '{"alg":"HS256","crit":["b64"],"b64":true}',
      '{"alg":"HS256","crit":[]}',
    ]) {
      expect(await verifier().check(handMade(head, JSON.stringify(good())))).toBe('invalid');
    }
  });

  test('a signature of zeros (CVE-2022-21449)', async () => {
    const content = `${base64url('{"alg":"ES256"}')}.${base64url(JSON.stringify(good()))}`;
    const token = `${content}.${Buffer.alloc(64).toString('base64url')}`;
    expect(await verifier({ keys: { publicKey: pemOf(p256.publicKey) } }).check(token)).toBe('invalid');
  });
});

test.each([
  ['expired', { exp: 'now-5' }],
  ['not yet', { nbf: 'now+6' }],
  ['exp is text', { exp: '9999999999' }],
  ['no exp', { exp: undefined }],
  ['another issuer', { iss: 'https://login.test' }],
  ['no issuer', { iss: undefined }],
  ['another audience', { aud: 'ap' }],
  ['audiences without ours', { aud: ['web', 'API'] }],
  ['an audience that is no text', { aud: { api: true } }],
  ['no audience', { aud: undefined }],
  ['no subject', { sub: undefined }],
  ['an empty subject', { sub: '' }],
  ['a subject that is no text', { sub: 7 }],
])('%s is refused', async (_name, change) => {
  const claims: Record<string, unknown> = { ...good(), ...change };
  for (const [name, value] of Object.entries(claims)) {
    if (typeof value === 'string' && value.startsWith('now'))
      claims[name] = seconds() + Number(value.slice(3));
  }
  expect(await verifier().check(handMade('{"alg":"HS256"}', JSON.stringify(claims)))).toBe('invalid');
});

test.each([
  ['within the skew after exp', () => ({ exp: seconds() - 4 })],
  ['within the skew before nbf', () => ({ nbf: seconds() + 5 })],
  ['a list of audiences with ours', () => ({ aud: ['web', 'api'] })],
])('%s is taken', async (_name, change) => {
  expect(await verifier().check(await signed({ ...good(), ...change() }))).toMatchObject({ subject: 'ada' });
});

test('issuer and audience can be left out only by saying so', async () => {
  const token = await signed({ sub: 'ada', exp: seconds() + 60 });
  expect(await verifier({ issuer: false, audience: false }).check(token)).toMatchObject({ subject: 'ada' });
  expect(() => verifier({ issuer: [] })).toThrow('issuer must name at least one');
  expect(() => verifier({ audience: '' })).toThrow('audience must name at least one');
});

test('an ID token is no access token where typ is asked for (RFC 9068)', async () => {
  const one = verifier({ type: 'at+jwt' });
  expect(await one.check(await signed(good(), { typ: 'JWT' }))).toBe('invalid');
  expect(await one.check(await signed(good()))).toBe('invalid');
  expect(await one.check(await signed(good(), { typ: 'at+jwt' }))).toMatchObject({ subject: 'ada' });
});

test('a claim that is there twice counts as its last (RFC 7519, 4)', async () => {
  const { exp } = good();
  const body = `{"iss":"https://login.test/","aud":"api","sub":"root","exp":${String(exp)},"sub":"ada"}`;
  expect(await verifier().check(handMade('{"alg":"HS256"}', body))).toMatchObject({ subject: 'ada' });
  expect(await verifier().check(handMade('{"alg":"HS256","alg":"none"}', body))).toBe('invalid');
});

test('prototype keys in claims give nobody anything', async () => {
  const body = JSON.stringify(good()).replace(
    '"scope":"orders:read orders:write"',
    '"__proto__":{"scope":"admin","isAdmin":true},"constructor":{"prototype":{"isAdmin":true}}',
  );
  const identity = await verifier().check(handMade('{"alg":"HS256"}', body));
  expect(identity).toMatchObject({ subject: 'ada', scopes: [] });
  const { claims } = identity as { claims: Record<string, unknown> };
  expect(Object.getPrototypeOf(claims)).toBeNull();
  expect(Object.keys(claims)).not.toContain('__proto__');
  expect(Object.assign({}, claims)).not.toHaveProperty('isAdmin');
  expect(({} as { isAdmin?: unknown }).isAdmin).toBeUndefined();
});

test.each([
  ['scp list', { scope: undefined, scp: ['a', 'b c', 7, 'd'] }, ['a', 'd']],
  ['scp text', { scope: undefined, scp: 'a b' }, ['a', 'b']],
  ['blanks', { scope: ' a  b ' }, ['a', 'b']],
  ['no text', { scope: { a: 1 } }, []],
])('scopes from %s', async (_name, change, scopes) => {
  const body = JSON.stringify({ ...good(), ...change });
  expect(await verifier().check(handMade('{"alg":"HS256"}', body))).toMatchObject({ scopes });
});

test.each(['', '.', '..', '...', 'a.b.c', 'a.b.c.d.e', ' ', '\u00ff', '{}', 'null'])(
  '%j is no token',
  async (text) => {
    expect(await verifier().check(text)).toBe('invalid');
  },
);

test('noise never gets in and never throws', async () => {
  const one = verifier();
  const token = await signed();
  // All but the last letter, whose lowest bits mean nothing.
  const noise = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 60 }),
    fc
      .tuple(fc.nat(token.length - 2), fc.constantFrom('A', 'Z', 'a', 'z', '0', '9', '-', '_', '.', '='))
      .map(([at, letter]) => token.slice(0, at) + letter + token.slice(at + 1)),
  );
  await fc.assert(
    fc.asyncProperty(noise, async (text) => {
      fc.pre(text !== token);
      expect(await one.check(text)).toBe('invalid');
    }),
    { numRuns: 100 },
  );
}, 30_000);

test('a huge token is not even looked at', () => {
  expect(verifier().check('a'.repeat(8_193))).toBe('invalid');
});

describe('what is known', () => {
  test('is answered at once, by the same object', async () => {
    const one = verifier();
    const token = await signed();
    const first = await one.check(token);
    expect(one.check(token)).toBe(first);
    expect(one.size).toBe(1);
  });

  test('is verified once, however many ask at first', async () => {
    const isRevoked = jest.fn(() => false);
    const one = verifier({ isRevoked });
    const token = await signed();
    const verdicts = await Promise.all(Array.from({ length: 20 }, async () => one.check(token)));
    expect(new Set(verdicts).size).toBe(1);
    expect(isRevoked).toHaveBeenCalledTimes(1);
  });

  test('has the answer that a fresh verification would give, at any time', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: -10, max: 30 }),
        fc.integer({ min: 0, max: 3_000 }),
        fc.array(fc.integer({ min: 0, max: 9_000 }), { maxLength: 8 }),
        async (life, offsetMs, steps) => {
          time.advanceSync(offsetMs);
          const token = await signed({ ...good(), exp: time.wallClock.now() / 1000 + life });
          const cached = verifier({ maxCacheMs: 15_000 });
          for (const step of steps) {
            const fresh = await verifier().check(token);
            expect(await cached.check(token)).toEqual(fresh);
            time.advanceSync(step);
          }
        },
      ),
      { numRuns: 25 },
    );
  }, 30_000);

  test('is looked at again after maxCacheMs', async () => {
    const isRevoked = jest.fn(() => false);
    const one = verifier({ isRevoked, maxCacheMs: 1_000 });
    const token = await signed();
    await one.check(token);
    time.advanceSync(999);
    expect(one.check(token)).not.toBeInstanceOf(Promise);
    time.advanceSync(1);
    await one.check(token);
    expect(isRevoked).toHaveBeenCalledTimes(2);
  });

  test('is bounded in number and in size', async () => {
    const one = verifier({ maxCached: 3 });
    for (let user = 0; user < 10; user++) await one.check(await signed({ ...good(), sub: `user-${user}` }));
    expect(one.size).toBe(3);
    const large = verifier({ maxTokenLength: 8 * 1024 * 1024 });
    for (let user = 0; user < 4; user++) {
      const token = await signed({ ...good(), sub: `user-${user}`, pad: 'x'.repeat(4 * 1024 * 1024) });
      expect(await large.check(token)).toMatchObject({ subject: `user-${user}` });
    }
    expect(large.size).toBeLessThan(4);
  }, 30_000);

  test('bad tokens take no room among the good ones', async () => {
    const one = verifier();
    for (let at = 0; at < 50; at++) await one.check(`bad.${at}.x`);
    expect(one.size).toBe(0);
  });

  test('a refusal is kept for a second', async () => {
    let isRevoked = true;
    const one = verifier({ isRevoked: () => isRevoked });
    const token = await signed();
    expect(await one.check(token)).toBe('invalid');
    isRevoked = false;
    time.advanceSync(999);
    expect(one.check(token)).toBe('invalid');
    time.advanceSync(1);
    expect(await one.check(token)).toMatchObject({ subject: 'ada' });
  });
});

describe('taking back', () => {
  test('a token that was known, or is just being verified', async () => {
    const one = verifier();
    const token = await signed();
    await one.check(token);
    one.revoke(token);
    expect(await one.check(token)).toBe('invalid');
    const other = await signed({ ...good(), sub: 'bob' });
    const verdict = one.check(other);
    one.revoke(other);
    expect(await verdict).toBe('invalid');
    expect(await one.check(other)).toBe('invalid');
  });

  test('in every spelling of its signature', async () => {
    const one = verifier({ keys: { publicKey: pemOf(p256.publicKey) } });
    const token = await signed(good(), { alg: 'ES256', key: p256.privateKey });
    const at = token.lastIndexOf('.') + 1;
    const signature = Buffer.from(token.slice(at), 'base64url');
    // (r, n - s) is as good as (r, s), and anybody can write it.
    const order = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;
    const s = order - BigInt(`0x${signature.toString('hex', 32)}`);
    const other = signature.toString('hex', 0, 32) + s.toString(16).padStart(64, '0');
    const twin = token.slice(0, at) + Buffer.from(other, 'hex').toString('base64url');
    expect(await one.check(twin)).toMatchObject({ subject: 'ada' });
    one.revoke(token);
    expect(await one.check(twin)).toBe('invalid');
    expect(await one.check(token)).toBe('invalid');
  });

  test('by a rule: forget() has every token looked at again', async () => {
    const gone = new Set<unknown>();
    const one = verifier({ isRevoked: ({ sub }) => gone.has(sub) });
    const token = await signed();
    await one.check(token);
    gone.add('ada');
    expect(one.check(token)).toMatchObject({ subject: 'ada' });
    one.forget();
    expect(await one.check(token)).toBe('invalid');
  });

  test('what was begun before forget() is not remembered after it', async () => {
    const one = verifier();
    const verdict = one.check(await signed());
    one.forget();
    await verdict;
    expect(one.size).toBe(0);
  });

  test('a rule that throws refuses', async () => {
    const isRevoked = (): boolean => {
      throw new Error('the list cannot be read');
    };
    expect(await verifier({ isRevoked }).check(await signed())).toBe('invalid');
  });
});

describe('options', () => {
  const weak = generateKeyPairSync('rsa', { modulusLength: 1024 });
  test.each<[string, Partial<JwtOptions>]>([
    ['secret must have at least 32 bytes, got 5', { keys: { secret: 'short' } }],
    ['secret must have at least 64 bytes', { keys: { secret, algorithms: ['HS512'] } }],
    ['secret must not be a PEM key', { keys: { secret: rsaPem } }],
    ['publicKey must be a public key', { keys: { publicKey: 'no key' } }],
    ['publicKey must have at least 2048 bits, got 1024', { keys: { publicKey: pemOf(weak.publicKey) } }],
    ['algorithms must be some of RS256', { keys: { publicKey: rsaPem, algorithms: ['HS256'] } }],
    [
      'algorithms must be some of ES256 for',
      { keys: { publicKey: pemOf(p256.publicKey), algorithms: ['ES384'] } },
    ],
    ['algorithms must be some of HS256', { keys: { secret, algorithms: ['none' as JwtAlgorithm] } }],
    ['got none', { keys: { secret, algorithms: [] } }],
    ['algorithms must be some of RS256', { keys: { jwks: { keys: [] }, algorithms: ['HS256'] } }],
    ['jwks must be a JSON Web Key Set', { keys: { jwks: {} as never } }],
    ['jwksUrl must be an https URL', { keys: { jwksUrl: 'http://login.test/jwks' } }],
    ['jwksUrl must be an https URL', { keys: { jwksUrl: 'file:///etc/passwd' } }],
    ['refreshMs must be an integer >= 1, got 0', { keys: { jwksUrl: 'https://login.test/', refreshMs: 0 } }],
    ['clockSkewMs must be an integer >= 0, got -1', { clockSkewMs: -1 }],
    ['maxCached must be an integer >= 1, got 0', { maxCached: 0 }],
    ['maxTokenLength must be', { maxTokenLength: NaN }],
    ['maxCacheMs must be', { maxCacheMs: 0.5 }],
  ])('%s', (words, options) => {
    expect(() => verifier(options)).toThrow(RangeError);
    expect(() => verifier(options)).toThrow(words);
  });
});
