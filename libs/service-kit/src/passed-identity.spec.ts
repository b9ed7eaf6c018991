import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { afterEach, describe, expect, test } from '@jest/globals';
import { fastify } from 'fastify';
import type { FastifyInstance } from 'fastify';
import { sendProblem } from '@mesh/problem';
import { SignJWT, UnsecuredJWT } from 'jose';
import { addCaller, requireScopes } from './caller.ts';
import { identityVerifier, type IdentityVerifierOptions, type VerifyIdentity } from './passed-identity.ts';

const pair = generateKeyPairSync('ed25519');
const publicKey = pair.publicKey.export({ type: 'spki', format: 'pem' });
const secret = randomBytes(32).toString('base64url');
let now = Date.UTC(2026, 0, 1);
const clock = { now: () => now };

function verifier(options: Partial<IdentityVerifierOptions> = {}): VerifyIdentity {
  return identityVerifier({ service: 'order-service', keys: { publicKey }, clock, ...options });
}

function signed(
  change: Record<string, unknown> = {},
  head: object = {},
  key: Parameters<SignJWT['sign']>[0] = pair.privateKey,
): Promise<string> {
  const at = Math.floor(now / 1000);
  return new SignJWT({
    iss: 'mesh-gateway',
    aud: 'order-service',
    sub: 'ada',
    scope: 'orders:read orders:write',
    by: 'jwt',
    iat: at,
    exp: at + 60,
    ...change,
  })
    .setProtectedHeader({ alg: 'EdDSA', typ: 'mesh-identity+jwt', ...head })
    .sign(key);
}

const ada = { subject: 'ada', scopes: ['orders:read', 'orders:write'], by: 'jwt' };

test('says who calls, by a public key or by a shared secret', async () => {
  expect(await verifier()(await signed())).toEqual(ada);
  const text = await signed({}, { alg: 'HS256' }, Buffer.from(secret));
  expect(await verifier({ keys: { secret } })(text)).toEqual(ada);
});

test('the key of the gateway can change: several are tried', async () => {
  const next = generateKeyPairSync('ed25519');
  const both = verifier({
    keys: [{ publicKey }, { publicKey: next.publicKey.export({ type: 'spki', format: 'pem' }) }],
  });
  expect(await both(await signed())).toEqual(ada);
  expect(await both(await signed({}, {}, next.privateKey))).toEqual(ada);
});

test('what is known is answered at once, until it expires', async () => {
  const verify = verifier();
  const text = await signed();
  await verify(text);
  expect(verify(text)).toEqual(ada);
  now += 64_999;
  expect(verify(text)).toEqual(ada);
  now += 1;
  expect(await verify(text)).toBeUndefined();
});

describe('a forged identity is nobody', () => {
  test.each<[string, Record<string, unknown>, object]>([
    ['for another service', { aud: 'user-service' }, {}],
    ['of another issuer', { iss: 'somebody' }, {}],
    ['expired', { exp: 1 }, {}],
    ['without an end', { exp: undefined }, {}],
    ['of a token of another kind', {}, { typ: 'JWT' }],
    ['of a token without a kind', {}, { typ: undefined }],
    ['without a subject', { sub: undefined }, {}],
    ['proved by nothing', { by: 'magic' }, {}],
  ])('%s', async (_name, change, head) => {
    expect(await verifier()(await signed(change, head))).toBeUndefined();
  });

  test('by another key, by none, by the public key as a secret', async () => {
    const other = generateKeyPairSync('ed25519');
    expect(await verifier()(await signed({}, {}, other.privateKey))).toBeUndefined();
    expect(await verifier()(await signed({}, { alg: 'HS256' }, Buffer.from(publicKey)))).toBeUndefined();
    const none = new UnsecuredJWT({ sub: 'ada', by: 'jwt' })
      .setIssuer('mesh-gateway')
      .setAudience('order-service')
      .setExpirationTime('1h');
    expect(await verifier()(none.encode())).toBeUndefined();
  });

  test.each(['', 'x', 'a.b.c', 'x'.repeat(9_000)])('%j', async (text) => {
    expect(await verifier()(text)).toBeUndefined();
  });
});

test.each<[string, Partial<IdentityVerifierOptions>]>([
  ['secret must have at least 32 bytes', { keys: { secret: 'short' } }],
  ['be no PEM key', { keys: { secret: publicKey } }],
  ['publicKey must be an Ed25519 key', { keys: { publicKey: 'none' } }],
  ['keys must hold at least one', { keys: [] }],
  ['clockSkewMs must be a number >= 0, got -1', { clockSkewMs: -1 }],
])('%s', (words, options) => {
  expect(() => verifier(options)).toThrow(RangeError);
  expect(() => verifier(options)).toThrow(words);
});

describe('in a service', () => {
  const apps: FastifyInstance[] = [];
  afterEach(async () => {
    for (const app of apps.splice(0)) await app.close();
  });

  function service(required: boolean): FastifyInstance {
    const app = fastify();
    apps.push(app);
    app.setErrorHandler(sendProblem);
    app.get('/health', () => 'fine');
    app.register((scope, _options, done) => {
      addCaller(scope, verifier(), { required });
      scope.get('/me', ({ caller }) => caller ?? 'nobody');
      scope.get('/refund', { onRequest: requireScopes('orders:write', 'refunds') }, () => 'done');
      scope.get('/write', { onRequest: requireScopes('orders:write') }, () => 'done');
      done();
    });
    return app;
  }

  const ask = async (app: FastifyInstance, url: string, text?: string | string[]) => {
    const answer = await app.inject({ url, headers: text === undefined ? {} : { 'x-mesh-identity': text } });
    return [
      answer.statusCode,
      answer.headers['content-type']?.includes('json') ? answer.json<unknown>() : answer.body,
    ];
  };

  test('routes know the caller; health needs none', async () => {
    const app = service(true);
    const text = await signed();
    expect(await ask(app, '/me', text)).toEqual([200, ada]);
    expect(await ask(app, '/me', text)).toEqual([200, ada]);
    expect(await ask(app, '/write', text)).toEqual([200, 'done']);
    expect(await ask(app, '/refund', text)).toEqual([
      403,
      expect.objectContaining({ code: 'ERR_FORBIDDEN' }),
    ]);
    expect(await ask(app, '/me')).toEqual([401, expect.objectContaining({ code: 'ERR_UNAUTHORIZED' })]);
    expect(await ask(app, '/health')).toEqual([200, 'fine']);
  });

  test('where it is not required, a forged one is still refused', async () => {
    const app = service(false);
    expect(await ask(app, '/me')).toEqual([200, 'nobody']);
    expect(await ask(app, '/write')).toEqual([401, expect.objectContaining({ code: 'ERR_UNAUTHORIZED' })]);
    expect(await ask(app, '/me', 'forged')).toEqual([401, expect.anything()]);
    expect(await ask(app, '/me', '')).toEqual([401, expect.anything()]);
    const text = await signed();
    expect(await ask(app, '/me', [text, text])).toEqual([401, expect.anything()]);
  });
});
