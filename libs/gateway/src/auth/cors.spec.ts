import cors from '@fastify/cors';
import { afterEach, describe, expect, test } from '@jest/globals';
import { fastify, type FastifyInstance } from 'fastify';
import { corsSchema, routeCors } from './cors.ts';

let app: FastifyInstance | undefined;
afterEach(() => app?.close());

const shop = 'https://shop.example.com';

/** An app with a route for shops, one for all, and one for nobody. */
async function gateway(): Promise<FastifyInstance> {
  const rules = {
    '/shop': corsSchema.parse({
      origins: [shop, 'http://localhost:5173'],
      methods: ['GET', 'PUT'],
      credentials: true,
    }),
    '/open': corsSchema.parse({ origins: '*', headers: ['content-type'] }),
  };
  app = fastify();
  await app.register(cors, { delegator: routeCors(({ url }) => rules[url as keyof typeof rules]) });
  // Whoever gets here would have been asked for a credential.
  for (const url of [...Object.keys(rules), '/else'])
    app.all(url, (_request, reply) => reply.code(401).send());
  return app;
}

const ask = async (method: 'GET' | 'OPTIONS', url: string, headers: Record<string, string>) => {
  const answer = await (await gateway()).inject({ method, url, headers });
  return { status: answer.statusCode, headers: answer.headers };
};

const preflight = (origin: string): Record<string, string> => ({
  origin,
  'access-control-request-method': 'PUT',
});

describe('each route has its own rules', () => {
  test('a named origin may, with credentials', async () => {
    const { status, headers } = await ask('OPTIONS', '/shop', preflight(shop));
    expect(status).toBe(204);
    expect(headers).toMatchObject({
      'access-control-allow-origin': shop,
      'access-control-allow-credentials': 'true',
      'access-control-allow-methods': 'GET, PUT',
      'access-control-max-age': '600',
    });
    expect(headers.vary).toContain('Origin');
    // The answer itself carries it too, also a refusal: otherwise the page could not read why.
    expect(await ask('GET', '/shop', { origin: shop })).toMatchObject({
      status: 401,
      headers: { 'access-control-allow-origin': shop, vary: 'Origin' },
    });
  });

  test.each(['https://evil.example.com', 'http://shop.example.com', 'https://shop.example.com.evil', 'null'])(
    '%s may not',
    async (origin) => {
      const { headers } = await ask('OPTIONS', '/shop', preflight(origin));
      expect(headers).not.toHaveProperty('access-control-allow-origin');
    },
  );

  test('any page may where it says so, without credentials', async () => {
    const { headers } = await ask('OPTIONS', '/open', preflight('https://any.example'));
    expect(headers).toMatchObject({
      'access-control-allow-origin': '*',
      'access-control-allow-headers': 'content-type',
    });
    expect(headers).not.toHaveProperty('access-control-allow-credentials');
  });

  test('a route without rules says nothing', async () => {
    const { status, headers } = await ask('OPTIONS', '/else', preflight(shop));
    expect(status).toBe(401);
    expect(headers).not.toHaveProperty('access-control-allow-origin');
  });

  test('an OPTIONS that is no preflight goes to the route', async () => {
    expect((await ask('OPTIONS', '/shop', { origin: shop })).status).toBe(401);
    expect((await ask('OPTIONS', '/shop', {})).status).toBe(401);
  });
});

test.each([
  [{ origins: '*', credentials: true }, 'credentials need origins that are named'],
  [{ origins: ['https://shop.example.com/'] }, 'without a path'],
  [{ origins: ['https://*.example.com'] }, 'scheme://host'],
  [{ origins: ['null'] }, 'scheme://host'],
  [{ origins: [] }, 'origins'],
  [{ origins: '*', headers: ['a b'] }, 'name of a header'],
  [{}, 'origins'],
])('%j is refused', (rules, words) => {
  expect(() => corsSchema.parse(rules)).toThrow(words);
});
