import { afterEach, expect, jest, test } from '@jest/globals';
import Fastify from 'fastify';
import { SignJWT } from 'jose';
import { authentication } from '../auth/authentication.ts';
import { JwtVerifier } from '../auth/jwt-verifier.ts';
import { createGateway, type Gateway } from '../gateway.ts';
import { rateLimit } from '../limits/rate-limit.ts';
import { answering, cleanUp, cleanups, meshClient, ok } from '../testing/raw-http.ts';

afterEach(cleanUp);

const secret = 'a secret of at least thirty-two bytes';

const tokenOf = (subject: string, key = secret): Promise<string> =>
  new SignJWT({ sub: subject })
    .setProtectedHeader({ alg: 'HS256' })
    .setExpirationTime('1 h')
    .sign(Buffer.from(key));

interface World {
  readonly gateway: Gateway;
  /** How often a token was looked at. */
  readonly verified: () => number;
  readonly ask: (token?: string, address?: string, more?: Record<string, string>) => Promise<Response>;
}

/** A gateway behind a proxy that says who the client is, before one instance; its only route limits as the text says. */
async function world(limits: string, auth = '{}'): Promise<World> {
  const up = await answering(ok);
  const jwt = new JwtVerifier({ keys: { secret }, issuer: false, audience: false });
  const check = jest.spyOn(jwt, 'check');
  const gateway = createGateway({
    client: meshClient({ a: up.port }),
    trustedProxies: ['127.0.0.1'],
    policies: {
      auth: (rules) => authentication({ jwt, rules }),
      rateLimit: (rules) => rateLimit({ rules }),
    },
    routes: `routes: [{ match: { prefix: / }, service: a, auth: ${auth}, rateLimit: { limits: [${limits}] } }]`,
  });
  const app = Fastify({ forceCloseConnections: true });
  await app.register(gateway.plugin);
  const origin = await app.listen({ port: 0, host: '127.0.0.1' });
  cleanups.push(() => app.close());
  return {
    gateway,
    verified: () => check.mock.calls.length,
    ask: (token, address = '192.0.2.1', more = {}) =>
      fetch(origin, {
        headers: {
          'x-forwarded-for': address,
          ...more,
          ...(token !== undefined && { authorization: `Bearer ${token}` }),
        },
      }),
  };
}

const hour = 'periodMs: 3600000';

async function statuses(count: number, ask: () => Promise<Response>): Promise<number[]> {
  const all: number[] = [];
  for (let time = 0; time < count; time++) all.push((await ask()).status);
  return all;
}

test('a flood of forged tokens from one client is stopped before it is verified; others are not held back', async () => {
  const { ask, verified } = await world(`{ limit: 5, ${hour}, by: address }`);
  let sent = 0;
  const forged = async () =>
    ask(await tokenOf(`ada-${sent++}`, 'a key of somebody else, long enough for HS256'));
  expect(await statuses(40, forged)).toEqual([...Array<number>(5).fill(401), ...Array<number>(35).fill(429)]);
  expect(verified()).toBe(5);
  expect((await ask(await tokenOf('ada'), '192.0.2.2')).status).toBe(200);
});

test('so is one that comes from everywhere with the same credential', async () => {
  const { ask, verified } = await world(`{ limit: 3, ${hour}, by: { header: authorization } }`);
  let sent = 0;
  expect(await statuses(10, () => ask('forged', `192.0.2.${sent++}`))).toEqual([
    ...Array<number>(3).fill(401),
    ...Array<number>(7).fill(429),
  ]);
  expect(verified()).toBe(3);
});

test.each(['subject', 'route'])(
  'a limit by %s counts only who may ask: a flood does not use it up',
  async (by) => {
    const { ask } = await world(`{ limit: 2, ${hour}, by: ${by} }`);
    expect(await statuses(20, () => ask('forged'))).toEqual(Array<number>(20).fill(401));
    const token = await tokenOf('ada');
    expect(await statuses(3, () => ask(token))).toEqual([200, 200, 429]);
  },
);

test('limits of both kinds stand on both sides of the authentication, and every answer tells all of them that were asked', async () => {
  const { ask, gateway } = await world(
    `{ limit: 9, ${hour} }, { limit: 1, ${hour}, by: subject, name: each }`,
  );
  const token = await tokenOf('ada');
  const told = async (shown?: string) => {
    const { status, headers } = await ask(shown);
    return [status, headers.get('ratelimit-policy'), headers.get('ratelimit')?.replace(/t=\d+/g, 't')];
  };
  const both = '"9/3600s";q=9;w=3600, "each";q=1;w=3600';
  expect(await told(token)).toEqual([200, both, '"9/3600s";r=8;t, "each";r=0;t']);
  expect(await told(token)).toEqual([429, both, '"9/3600s";r=7;t, "each";r=0;t']);
  expect(await told()).toEqual([401, '"9/3600s";q=9;w=3600', '"9/3600s";r=6;t']);
  const { steps } = gateway.explain({ url: '/' });
  expect(steps?.map(({ name }) => name)).toEqual(['rateLimit', 'auth', 'rateLimit', 'forward']);
  expect(steps?.map(({ settings }) => (settings as { limits?: { by: string }[] }).limits?.[0]?.by)).toEqual([
    'address',
    undefined,
    'subject',
    undefined,
  ]);
});

test('a route without authentication has one stage: what one limit refuses no other counts', async () => {
  const { ask, gateway } = await world(`{ limit: 9, ${hour} }, { limit: 1, ${hour}, by: route }`, 'false');
  await ask();
  expect((await ask()).headers.get('ratelimit')).toMatch(/^"9\/3600s";r=8/);
  expect(gateway.explain({ url: '/' }).steps?.map(({ name }) => name)).toEqual(['rateLimit', 'forward']);
});
