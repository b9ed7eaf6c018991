import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { isRouteConfigError, type RouteFault } from './config-error.ts';
import { readRoutes } from './read-routes.ts';
import type { RoutesInput } from './route-schema.ts';

function faultsOf(source: string | object, file?: string): readonly RouteFault[] {
  try {
    readRoutes(source as RoutesInput, file === undefined ? {} : { file });
  } catch (error) {
    if (isRouteConfigError(error)) return error.faults;
    throw error;
  }
  return [];
}

const shop = `
defaults:
  timeouts: { attemptMs: 1000, totalMs: 5000 }
  retry: { maxRetries: 1 }
routes:
  - match: { prefix: /shop }
    service: shop
    timeouts: { totalMs: 9000 }
    retry: false
  - id: canary
    match:
      path: /orders/:id
      methods: [GET]
      headers: { X-Beta: "1" }
    service: orders
    split:
      - { weight: 95 }
      - { weight: 5, where: { version: "2" } }
    sticky: { cookie: session }
`;

test('YAML, JSON and an object of the same content are the same routes', () => {
  const fromYaml = readRoutes(shop);
  const object: RoutesInput = {
    defaults: { timeouts: { attemptMs: 1000, totalMs: 5000 }, retry: { maxRetries: 1 } },
    routes: [
      { match: { prefix: '/shop' }, service: 'shop', timeouts: { totalMs: 9000 }, retry: false },
      {
        id: 'canary',
        match: { path: '/orders/:id', methods: ['GET'], headers: { 'X-Beta': '1' } },
        service: 'orders',
        split: [{ weight: 95 }, { weight: 5, where: { version: '2' } }],
        sticky: { cookie: 'session' },
      },
    ],
  };
  expect(readRoutes(object)).toEqual(fromYaml);
  expect(readRoutes(JSON.stringify(object))).toEqual(fromYaml);
  expect(readRoutes(JSON.stringify(object, null, '\t'))).toEqual(fromYaml);
});

test('defaults are in every route that does not say otherwise; each timeout for itself', () => {
  const [plain, canary] = readRoutes(shop);
  expect(plain).toMatchObject({
    id: '/shop/*',
    timeouts: { attemptMs: 1000, totalMs: 9000 },
    retry: false,
  });
  expect(canary).toMatchObject({
    id: 'canary',
    timeouts: { attemptMs: 1000, totalMs: 5000 },
    retry: { maxRetries: 1 },
    match: { headers: { 'x-beta': { exact: '1' } } },
  });
  expect(Object.isFrozen(canary?.split?.[0])).toBe(true);
});

test('a fault has file, line, column, path, and what is expected', () => {
  const text = `routes:
  - match:
      prefix: shop/
      metods: [GET]
    service: "127"
    timeouts: { attemptMs: 1.5 }
  - match: { prefix: /a, path: /b }
    split: [{ weight: -1 }]
`;
  expect(faultsOf(text, 'routes.yaml')).toEqual([
    {
      file: 'routes.yaml',
      line: 3,
      column: 7,
      path: 'routes[0].match.prefix',
      message: expect.stringContaining('/shop'),
    },
    { file: 'routes.yaml', line: 4, column: 7, path: 'routes[0].match.metods', message: 'is not known here' },
    {
      file: 'routes.yaml',
      line: 5,
      column: 5,
      path: 'routes[0].service',
      message: expect.stringContaining('service'),
    },
    {
      file: 'routes.yaml',
      line: 6,
      column: 17,
      path: 'routes[0].timeouts.attemptMs',
      message: expect.stringContaining('milliseconds'),
    },
    {
      file: 'routes.yaml',
      line: 7,
      column: 5,
      path: 'routes[1].match',
      message: expect.stringContaining('exactly one'),
    },
    {
      file: 'routes.yaml',
      line: 8,
      column: 15,
      path: 'routes[1].split[0].weight',
      message: expect.stringContaining('from 0'),
    },
  ]);
});

test('the error is one text with every fault, as terminals link it', () => {
  expect(() =>
    readRoutes('routes:\n  - { match: { prefix: /a } }\n  - { match: { prefix: /b } }', { file: 'r.yaml' }),
  ).toThrow(
    expect.objectContaining({
      code: 'ERR_CONFIG',
      message:
        'routes: r.yaml:2:5 routes[0] must have a service or a split; r.yaml:3:5 routes[1] must have a service or a split',
    }),
  );
});

describe('what is refused', () => {
  const one = (extra: object) => ({ routes: [{ match: { prefix: '/a' }, service: 's', ...extra }] });
  test.each([
    ['', 'must be: object'],
    ['[]', 'must be: object'],
    ['routes: 1', 'must be: array'],
    ['routes: [', 'Flow'],
    ['routes: []\nroutes: []', 'unique'],
    ['routes: *a', 'alias'],
    [`a: &a [1,1]\nb: &b [${'*a,'.repeat(60)}*a]\nc: [*b,*b]\nroutes: []`, 'alias'],
    [one({ retry: { maxRetires: 1 } }), 'is not known here'],
    [one({ retry: true }), 'retry'],
    [one({ auth: 1 }), 'auth'],
    [one({ match: { prefix: '/a/../b' } }), 'prefix'],
    [one({ match: { prefix: '/a/' } }), 'prefix'],
    [one({ match: {} }), 'exactly one of prefix, path'],
    [one({ match: { prefix: '/a', host: 'a b' } }), 'host'],
    [one({ match: { prefix: '/a', methods: [] } }), 'methods'],
    [one({ match: { prefix: '/a', methods: ['CONNECT'] } }), 'one of GET'],
    [one({ match: { prefix: '/a', headers: { 'x y': '1' } } }), 'headers'],
    [one({ match: { prefix: '/a', headers: { x: { exact: '1', prefix: '1' } } } }), 'exactly one of exact'],
    [one({ requestHeaders: { set: { 'x-a': 'a\r\nb: c' } } }), 'characters'],
    [one({ split: [{ weight: 0 }, { weight: 0, name: 'b' }] }), 'sum to 0'],
    [one({ split: [{ weight: 1 }, { weight: 1 }] }), 'second branch named'],
    [{ routes: [{ match: { prefix: '/a' }, split: [{ weight: 1 }] }] }, 'must have a service'],
    [one({ sticky: { cookie: 'c' } }), 'needs a split'],
    [one({ rollback: {} }), 'needs a split'],
    [one({ rewrite: '/x/:y' }), 'does not have'],
    [one({ service: '*', rewrite: '/x' }), 'cannot rewrite'],
    [one({ service: '*', match: { path: '/a' } }), 'needs a prefix'],
    [{ routes: [...one({}).routes, ...one({ id: 'b' }).routes] }, 'is there twice'],
    [{ routes: [...one({}).routes, ...one({ match: { prefix: '/b' }, id: '/a/*' }).routes] }, 'has the id'],
    [
      { routes: [...one({ match: { prefix: '/:x' } }).routes, ...one({ match: { prefix: '/:y' } }).routes] },
      'twice',
    ],
    [
      {
        routes: [
          ...one({ match: { prefix: '/a', headers: { x: { present: true } } } }).routes,
          ...one({ match: { prefix: '/a', headers: { x: '1' } } }).routes,
        ],
      },
      'is never reached',
    ],
    ['__proto__: { routes: [] }', '__proto__'],
    ['routes: [{ match: { prefix: /a }, service: s, constructor: 1 }]', 'constructor'],
  ])('%j', (source, words) => {
    const faults = faultsOf(source);
    expect(faults).not.toEqual([]);
    expect(faults.map(({ path, message }) => `${path} ${message}`).join('\n')).toContain(words);
  });
});

test('whatever comes, the answer is routes or a list of faults', () => {
  const json = fc.oneof(
    fc.json(),
    fc.jsonValue().map((value) => JSON.stringify({ routes: [value] })),
    fc.string(),
  );
  fc.assert(
    fc.property(json, (text) => {
      for (const { line, column } of faultsOf(text)) {
        expect(line).toBeGreaterThan(0);
        expect(column).toBeGreaterThan(0);
      }
    }),
    { numRuns: 500 },
  );
});
