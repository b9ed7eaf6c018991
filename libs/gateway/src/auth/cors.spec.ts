import cors from '@fastify/cors';
import { afterEach, describe, expect, test } from '@jest/globals';
import { HttpProblem } from '@mesh/problem';
import Fastify, { type FastifyInstance } from 'fastify';
import type { AddressInfo } from 'node:net';
import { createGateway, type Gateway } from '../gateway.ts';
import { isRouteConfigError } from '../routing/config-error.ts';
import {
  answering,
  cleanUp,
  cleanups,
  exchange,
  get,
  linesOf,
  meshClient,
  type Upstream,
} from '../testing/raw-http.ts';
import { corsSchema } from './cors.ts';

afterEach(cleanUp);

const shop = 'https://shop.example.com';
const other = 'https://any.example';

const routes = `
defaults:
  cors: { origins: ['${shop}', 'http://localhost:5173'], methods: [GET, PUT], credentials: true }
routes:
  - { match: { prefix: /shop }, service: a, auth: {} }
  - { match: { prefix: /free }, service: a }
  - { match: { prefix: /open }, service: a, cors: { origins: '*', headers: [content-type, x-a] } }
  - { match: { prefix: /else }, service: a, cors: false }
  - { match: { path: /read, methods: [GET] }, service: a }
  - { match: { path: /read, methods: [PUT] }, service: a, cors: { origins: ['${other}'] } }
`;

interface World {
  readonly port: number;
  readonly up: Upstream;
  readonly gateway: Gateway;
}

/** A gateway before an instance that lets every page do everything; `/shop` lets nobody in. */
async function world(
  text = routes,
  prepare: (app: FastifyInstance) => unknown = () => undefined,
): Promise<World> {
  const up = await answering(
    'HTTP/1.1 200 OK\r\nAccess-Control-Allow-Origin: *\r\nAccess-Control-Max-Age: 5\r\nVary: Accept\r\nContent-Length: 2\r\n\r\nok',
  );
  const gateway = createGateway({
    client: meshClient({ a: up.port }),
    policies: { auth: () => () => new HttpProblem('ERR_UNAUTHORIZED', 'Who are you?') },
    routes: text,
  });
  const app = Fastify({ forceCloseConnections: true });
  await prepare(app);
  await app.register(gateway.plugin);
  await app.listen({ port: 0, host: '127.0.0.1' });
  cleanups.push(() => app.close());
  return { port: (app.server.address() as AddressInfo).port, up, gateway };
}

/** The status and the fields of CORS of an answer, lower-case. */
function told(answer: string): { status: number; fields: Record<string, string> } {
  const [head = ''] = answer.split('\r\n\r\n');
  const fields = head.split('\r\n').flatMap((line) => {
    const [, name = '', value = ''] = /^(access-control-[\w-]+|vary): (.*)$/i.exec(line) ?? [];
    return name === '' ? [] : [[name.toLowerCase(), value]];
  });
  return { status: Number(head.split(' ')[1]), fields: Object.fromEntries(fields) as Record<string, string> };
}

const ask = async (port: number, path: string, ...lines: string[]) =>
  told(await exchange(port, get(path, ...lines)));

async function preflight(port: number, path: string, origin: string, method = 'PUT', ...lines: string[]) {
  const head = get(path, `Origin: ${origin}`, `Access-Control-Request-Method: ${method}`, ...lines);
  return told(await exchange(port, head.replace('GET', 'OPTIONS')));
}

describe('each route has its own rules', () => {
  test('a preflight is answered before anybody asks for a credential, and no instance sees it', async () => {
    const { port, up } = await world();
    expect(await preflight(port, '/shop/1', shop, 'PUT', 'Access-Control-Request-Headers: x-b')).toEqual({
      status: 204,
      fields: {
        'access-control-allow-origin': shop,
        'access-control-allow-credentials': 'true',
        'access-control-allow-methods': 'GET, PUT',
        'access-control-allow-headers': 'x-b',
        'access-control-max-age': '600',
        vary: 'Origin',
      },
    });
    expect(up.connections).toHaveLength(0);
  });

  test('answers carry them, also a refusal: otherwise the page could not read why', async () => {
    const { port } = await world();
    const refused = await ask(port, '/shop', `Origin: ${shop}`);
    expect(refused).toMatchObject({ status: 401, fields: { 'access-control-allow-origin': shop } });
    const answer = await exchange(port, get('/free', `Origin: ${shop}`));
    expect(told(answer)).toMatchObject({
      status: 200,
      fields: { 'access-control-allow-origin': shop, 'access-control-allow-credentials': 'true' },
    });
    expect(told(answer).fields['access-control-expose-headers']).toContain('ratelimit');
    expect(linesOf(answer, 'vary').map((line) => line.toLowerCase())).toEqual([
      'vary: accept',
      'vary: origin',
    ]);
  });

  test.each(['https://evil.example.com', 'http://shop.example.com', 'https://shop.example.com.evil', 'null'])(
    '%s may not, whatever the instance says',
    async (origin) => {
      const { port } = await world();
      expect(await preflight(port, '/free', origin)).toEqual({ status: 204, fields: { vary: 'Origin' } });
      const answer = await exchange(port, get('/free', `Origin: ${origin}`));
      expect(answer).toMatch(/^HTTP\/1\.1 200 /);
      expect(answer).not.toMatch(/access-control/i);
    },
  );

  test('any page may where it says so, without credentials', async () => {
    const { port } = await world();
    expect((await preflight(port, '/open', other)).fields).toEqual({
      'access-control-allow-origin': '*',
      'access-control-allow-methods': 'GET, HEAD, POST',
      'access-control-allow-headers': 'content-type, x-a',
      'access-control-max-age': '600',
    });
    expect((await ask(port, '/open')).fields).toMatchObject({ 'access-control-allow-origin': '*' });
  });

  test('where a route has none it is for the instance to say, and so is an OPTIONS that is no preflight', async () => {
    const { port, up } = await world();
    expect(await preflight(port, '/else', shop)).toMatchObject({
      status: 200,
      fields: { 'access-control-max-age': '5' },
    });
    await exchange(port, get('/free', `Origin: ${shop}`).replace('GET', 'OPTIONS'));
    expect(up.received()).toMatch(/^OPTIONS \/else HTTP[^]*\r\n\r\nOPTIONS \/free HTTP/);
  });

  test('the method that is asked for chooses the route', async () => {
    const { port } = await world();
    expect((await preflight(port, '/read', shop, 'GET')).fields).toHaveProperty(
      'access-control-allow-origin',
    );
    expect((await preflight(port, '/read', shop, 'PUT')).fields).toEqual({ vary: 'Origin' });
  });
});

describe('a preflight carries no field of the request that it asks for', () => {
  const between = (rules: string): string => `
routes:
  - { match: { prefix: /x }, service: a, cors: { origins: ['${shop}'] } }
  - { match: { prefix: /x, headers: { x-group: B } }, service: a, ${rules} }
  - { match: { path: /x/y, cookie: { side: b } }, service: a, ${rules} }`;

  test('routes that may take it and have the same rules answer together', async () => {
    const { port } = await world(between(`cors: { origins: ['${shop}'] }`));
    expect((await preflight(port, '/x/y', shop)).fields).toMatchObject({
      'access-control-allow-origin': shop,
    });
  });

  test.each(['cors: false', `cors: { origins: ['${shop}'], credentials: true }`])(
    'one that says %s is not opened by its neighbour',
    async (rules) => {
      const { port, up } = await world(between(rules));
      expect(await preflight(port, '/x/y', shop)).toEqual({ status: 204, fields: {} });
      expect(up.connections).toHaveLength(0);
    },
  );
});

test('rules of the whole app give way to those of a route, and stay where a route has none', async () => {
  const { port } = await world(routes, (app) => app.register(cors, { origin: 'https://app.example' }));
  expect((await preflight(port, '/free', shop)).fields).toMatchObject({
    'access-control-allow-origin': shop,
  });
  expect((await ask(port, '/free', `Origin: ${shop}`)).fields).toMatchObject({
    'access-control-allow-origin': shop,
  });
  expect((await ask(port, '/else')).fields).toMatchObject({
    'access-control-allow-origin': 'https://app.example',
  });
});

test('what a hook has said of Vary stays', async () => {
  const { port } = await world(routes, (app) =>
    app.addHook('onRequest', (_request, reply, done) => {
      void reply.header('vary', 'X-Region');
      done();
    }),
  );
  for (const path of ['/shop', '/free']) {
    const lines = linesOf(await exchange(port, get(path, `Origin: ${shop}`)), 'vary');
    expect(lines.map((line) => line.toLowerCase()).slice(-2)).toEqual(['vary: x-region', 'vary: origin']);
  }
});

test('new rules hold from the next request on', async () => {
  const { port, gateway } = await world();
  gateway.update(`routes: [{ match: { prefix: /free }, service: a, cors: { origins: ['${other}'] } }]`);
  expect((await preflight(port, '/free', shop)).fields).toEqual({ vary: 'Origin' });
  expect((await preflight(port, '/free', other)).fields).toHaveProperty('access-control-allow-origin', other);
});

test('explain tells what a preflight is answered, and which rules a request passes', async () => {
  const { gateway } = await world();
  const headers = { origin: shop, 'access-control-request-method': 'PUT' };
  expect(gateway.explain({ method: 'OPTIONS', url: '/shop', headers })).toMatchObject({
    outcome: 'preflight',
    answer: { 'access-control-allow-origin': shop },
  });
  const { steps } = gateway.explain({ url: '/shop' });
  expect(steps?.map(({ name }) => name)).toEqual(['cors', 'auth', 'forward']);
  expect(steps?.[0]?.settings).toMatchObject({ methods: ['GET', 'PUT'], credentials: true });
});

test('a fault names its line', () => {
  const text = `routes:
  - match: { prefix: /a }
    service: a
    cors:
      origins: ['https://shop.example/']
      credentails: true
`;
  try {
    createGateway({ client: meshClient({}), routes: text, file: 'routes.yaml' });
    expect('no fault').toBe('faults');
  } catch (error) {
    expect(isRouteConfigError(error) && error.faults).toEqual([
      {
        ...{ file: 'routes.yaml', line: 5, column: 17, path: 'routes[0].cors.origins[0]' },
        message: 'must be scheme://host[:port], without a path',
      },
      {
        ...{ file: 'routes.yaml', line: 6, column: 7, path: 'routes[0].cors.credentails' },
        message: 'is not known here',
      },
    ]);
  }
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
