/** What authentication and rate limits add to a request. Each is measured against the least that could do its work, in the same run. */
import { keyedRateLimiter } from '@mesh/resilience';
import { jwtVerify, SignJWT } from 'jose';
import { generateKeyPairSync, hash, randomBytes } from 'node:crypto';
import { contest } from '../../../tools/contest.mts';
import { createApiKey } from '../src/auth/api-key.ts';
import { ApiKeys } from '../src/auth/api-keys.ts';
import { authentication } from '../src/auth/authentication.ts';
import { IdentitySigner } from '../src/auth/identity-signer.ts';
import { JwtVerifier } from '../src/auth/jwt-verifier.ts';
import { rateLimit } from '../src/limits/rate-limit.ts';
import type { Passage, Stage } from '../src/passage.ts';

const users = 1_000;
/** Many short rounds, judged by the quiet ones: what is measured takes less than a microsecond, a neighbour on the machine takes more. */
const rounds = { rounds: 31, batchMs: 30, judgedBy: 'quiet' } as const;
const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const pem = publicKey.export({ type: 'spki', format: 'pem' });
const tokens = await Promise.all(
  Array.from({ length: users }, (_, user) =>
    new SignJWT({
      iss: 'bench',
      aud: 'api',
      sub: `user-${user}`,
      scope: 'orders:read orders:write',
      pad: randomBytes(100).toString('hex'),
    })
      .setProtectedHeader({ alg: 'ES256' })
      .setExpirationTime('1h')
      .sign(privateKey),
  ),
);
const keys = Array.from({ length: users }, () => createApiKey());

const jwt = new JwtVerifier({ keys: { publicKey: pem }, issuer: 'bench', audience: 'api' });
const apiKeys = new ApiKeys(
  keys.map(({ id, hash: digest }) => ({ id, hash: digest, scopes: ['orders:read'] })),
);
const signer = new IdentitySigner({
  key: { secret: randomBytes(32).toString('hex') },
  lifetimeMs: 7_200_000,
});
const rules = { scopes: ['orders:read'] };

const base = {
  reply: {},
  routeId: 'orders',
  target: { path: '/orders', query: '', normalised: '/orders' },
  service: 'order-service',
  path: '/orders',
  trace: { requestId: 'bench' },
  identity: undefined,
  onEnd: () => undefined,
};
const browser = [
  'Host',
  'api',
  'User-Agent',
  'x',
  'Accept',
  '*/*',
  'Accept-Encoding',
  'gzip',
  'X-A',
  '1',
  'X-B',
  '2',
];

/** A request as it comes: its objects and strings are new, so that no hash of a text is known from the request before. */
function arriving(user: number, name: string, values: readonly Buffer[]): Passage {
  const value = values[user]?.toString('latin1') ?? '';
  const request = { raw: { rawHeaders: [...browser, name, value] } };
  const clientAddress = addresses[user] ?? '';
  return { ...base, request, clientAddress, requestHeaders: [], answerHeaders: [] } as unknown as Passage;
}

/** The credential of a request, as it came. */
const credentialOf = (passage: Passage): string => passage.request.raw.rawHeaders.at(-1) ?? '';

const bearers = tokens.map((token) => Buffer.from(`Bearer ${token}`));
const keyBytes = keys.map(({ key }) => Buffer.from(key));
const addresses = keys.map((_key, user) => `10.0.${user >> 8}.${user & 255}`);

const looped = (name: string, work: (user: number) => unknown) => ({
  name,
  run(iterations: number) {
    for (let at = 0; at < iterations; at++) work(at % users);
  },
});

const withToken = (user: number): Passage => arriving(user, 'Authorization', bearers);
const withKey = (user: number): Passage => arriving(user, 'X-API-Key', keyBytes);

/** Sends requests through a stage that must answer at once: a promise would be another path than the one that is measured. */
function through(name: string, stage: Stage, request: (user: number) => Passage) {
  return looped(name, (user) => {
    if (stage(request(user)) !== undefined) throw new Error('refused, or not at once');
  });
}

const signing = authentication({ jwt, signer, rules });
for (let user = 0; user < users; user++) await signing(withToken(user));
const byToken = new Map(tokens.map((token) => [`Bearer ${token}`, true]));

await contest(
  'authentication of one request (1 000 callers, ES256, tokens of about 500 characters)',
  [
    looped('the request', withToken),
    looped('a Map keyed by the header', (user) => byToken.get(credentialOf(withToken(user)))),
    through('known token', authentication({ jwt, rules }), withToken),
    through('known token, identity signed', signing, withToken),
    looped('SHA-256 of the token', (user) => hash('sha256', credentialOf(withToken(user)))),
    looped('SHA-256 of the API key', (user) => hash('sha256', credentialOf(withKey(user)))),
    through('API key', authentication({ apiKeys, rules }), withKey),
    {
      name: 'jwtVerify of jose, every time',
      async run(iterations: number) {
        for (let at = 0; at < iterations; at++) {
          await jwtVerify(tokens[at % users] ?? '', publicKey, { algorithms: ['ES256'] });
        }
      },
    },
  ],
  [
    // On the machine of the README a SHA-256 of such a token takes 0.7 us.
    { of: 'known token, identity signed', against: 'SHA-256 of the token', atMost: 1.2 },
    { of: 'known token', against: 'jwtVerify of jose, every time', atMost: 0.02 },
    { of: 'API key', against: 'SHA-256 of the API key', atMost: 3 },
  ],
  rounds,
);

const bare = keyedRateLimiter({ limit: 1_000_000 });
const limit = (headers: 'always' | 'refused'): Stage =>
  rateLimit({ rules: { limits: [{ limit: 1_000_000 }], headers } });
await contest(
  'rate limit of one request (memory, 1 000 addresses)',
  [
    looped('the request', withKey),
    looped('keyedRateLimiter.tryAcquire', (user) => bare.tryAcquire(withKey(user).clientAddress)),
    through('rate limit', limit('refused'), withKey),
    through('rate limit with its headers', limit('always'), withKey),
  ],
  [
    { of: 'rate limit', against: 'keyedRateLimiter.tryAcquire', atMost: 2 },
    { of: 'rate limit with its headers', against: 'keyedRateLimiter.tryAcquire', atMost: 5 },
  ],
  rounds,
);
