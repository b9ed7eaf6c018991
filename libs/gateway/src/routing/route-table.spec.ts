import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { rewritePath } from './path-pattern.ts';
import { readRoutes } from './read-routes.ts';
import { readTarget } from './request-target.ts';
import type { Condition, Match, RouteInput } from './route-schema.ts';
import { RouteTable } from './route-table.ts';
import type { MatchRequest } from './match-request.ts';

interface Asked {
  readonly method: string;
  readonly segments: readonly string[];
  readonly host: string | undefined;
  readonly beta: string | undefined;
}

const segment = fc.constantFrom('a', 'b', ':x');
const methods = fc.constantFrom('GET', 'POST', 'PUT');
const route: fc.Arbitrary<RouteInput> = fc
  .record({
    isPrefix: fc.boolean(),
    segments: fc.array(segment, { maxLength: 3 }),
    host: fc.option(fc.constantFrom('s.e', 'a.s.e', '*.s.e', '*.a.s.e'), { nil: undefined }),
    methods: fc.option(fc.uniqueArray(methods, { minLength: 1 }), { nil: undefined }),
    beta: fc.option(
      fc.constantFrom('1', '12', { prefix: '1' }, { present: true }, { present: false }, { exact: '12' }),
      { nil: undefined },
    ),
    query: fc.option(fc.constant('1'), { nil: undefined }),
  })
  .map(({ isPrefix, segments, host, methods: only, beta, query }) => ({
    match: {
      [isPrefix ? 'prefix' : 'path']: `/${segments.join('/')}`,
      ...(host !== undefined && { host }),
      ...(only !== undefined && { methods: only }),
      ...(beta !== undefined && { headers: { 'x-beta': beta } }),
      ...(query !== undefined && { query: { q: query } }),
    },
    service: 's',
  }));
const asked: fc.Arbitrary<Asked> = fc.record({
  method: methods,
  segments: fc.array(fc.constantFrom('a', 'b', 'c', ''), { minLength: 1, maxLength: 4 }),
  host: fc.constantFrom(undefined, 's.e', 'a.s.e', 'b.a.s.e:80', 'A.S.E.'),
  beta: fc.constantFrom(undefined, '1', '12', '2'),
});

function toRequest({ method, segments, host, beta }: Asked): MatchRequest {
  return {
    method,
    target: readTarget(`/${segments.join('/')}?q=1`),
    rawHeaders: [
      ...(host === undefined ? [] : ['Host', host]),
      ...(beta === undefined ? [] : ['X-Beta', beta]),
    ],
  };
}

/** The rules of the documentation, one after the other, over the whole list. */
function naiveMatch(routes: readonly RouteInput[], request: Asked): number {
  const fitting = routes
    .map((one, index) => ({ match: one.match as Match, index }))
    .filter(({ match }) => fits(match, request));
  const rank = ({ match }: { match: Match }): number[] => {
    const parts = partsOf(match).map((part) => (part === ':x' ? 1 : 2));
    const path = [0, 1, 2, 3].map((at) => parts[at] ?? 0);
    const host =
      match.host === undefined ? 0 : match.host.startsWith('*') ? match.host.length : 100 + match.host.length;
    const conditions = Object.keys(match.headers ?? {}).length + Object.keys(match.query ?? {}).length;
    return [...path, match.path === undefined ? 0 : 1, host, conditions, match.methods === undefined ? 0 : 1];
  };
  fitting.sort((one, other) => {
    const [left, right] = [rank(one), rank(other)];
    const at = left.findIndex((weight, index) => weight !== right[index]);
    return at === -1 ? one.index - other.index : right[at]! - left[at]!;
  });
  return fitting[0]?.index ?? -1;
}

function partsOf({ prefix, path }: Match): string[] {
  return prefix === '/' ? [] : (prefix ?? path ?? '').slice(1).split('/');
}

function fits(match: Match, { method, segments, host, beta }: Asked): boolean {
  const parts = partsOf(match);
  if (match.path !== undefined && parts.length !== segments.length) return false;
  if (parts.length > segments.length) return false;
  if (!parts.every((part, at) => (part === ':x' ? segments[at] !== '' : segments[at] === part))) return false;
  if (match.methods?.includes(method as 'GET') === false) return false;
  const name = host?.toLowerCase().replace(/:80$/, '').replace(/\.$/, '');
  if (match.host !== undefined) {
    if (name === undefined) return false;
    if (match.host.startsWith('*') ? !name.endsWith(match.host.slice(1)) : name !== match.host) return false;
  }
  const wanted: string | Condition | undefined = match.headers?.['x-beta'];
  if (wanted === undefined) return true;
  const { exact, prefix, present }: Condition = typeof wanted === 'string' ? { exact: wanted } : wanted;
  if (exact !== undefined) return beta === exact;
  if (prefix !== undefined) return beta?.startsWith(prefix) === true;
  return (beta !== undefined) === present;
}

/** As the reader sees it: routes that contradict each other are taken out until none does. */
function reachable(routes: readonly RouteInput[]): RouteInput[] {
  return routes.reduce<RouteInput[]>((kept, one) => {
    try {
      readRoutes({ routes: [...kept, one] });
      return [...kept, one];
    } catch {
      return kept;
    }
  }, []);
}

test('the closest route wins: a table agrees with the rules read one after the other', () => {
  fc.assert(
    fc.property(
      fc.array(route, { maxLength: 8 }),
      fc.array(asked, { minLength: 1, maxLength: 10 }),
      (all, requests) => {
        const inputs = reachable(all);
        const routes = readRoutes({ routes: inputs });
        // What was read can be given again.
        expect(readRoutes({ routes: [...routes] })).toEqual(routes);
        const table = new RouteTable(routes);
        for (const request of requests) {
          const found = table.match(toRequest(request));
          expect(found === undefined ? -1 : routes.indexOf(found.route)).toBe(naiveMatch(inputs, request));
        }
      },
    ),
    { numRuns: 300 },
  );
});

test('a route that no request reaches is refused, one that some request reaches is not', () => {
  const requests = ['GET', 'POST', 'PUT', 'DELETE'].flatMap((method) =>
    [undefined, 's.e', 'a.s.e', 'b.a.s.e', 'b.s.e'].flatMap((host) =>
      [undefined, '1', '12', '13', '2'].flatMap((beta) =>
        [[''], ['a'], ['b'], ['c'], ['a', 'c'], ['b', 'c'], ['c', 'c']].map((segments) => ({
          method,
          host,
          beta,
          segments,
        })),
      ),
    ),
  );
  const simple = route.filter(
    ({ match }) => (match.prefix ?? match.path ?? '').split('/').length === 2 && match.query === undefined,
  );
  fc.assert(
    fc.property(simple, simple, (one, other) => {
      const wins = (index: number): boolean =>
        requests.some((request) => naiveMatch([one, other], request) === index);
      let refused = false;
      try {
        readRoutes({
          routes: [
            { id: '1', ...one },
            { id: '2', ...other },
          ],
        });
      } catch {
        refused = true;
      }
      expect(refused).toBe(!(wins(0) && wins(1)));
    }),
    { numRuns: 500 },
  );
});

test('what one method would have found is told for all others', () => {
  const table = new RouteTable(
    readRoutes({
      routes: [
        { match: { prefix: '/a', methods: ['GET', 'POST'] }, service: 's' },
        { match: { path: '/a/:x', methods: ['PUT'] }, service: 's' },
      ],
    }),
  );
  const asks = (method: string, url: string) => ({ method, target: readTarget(url), rawHeaders: [] });
  expect(table.match(asks('DELETE', '/a/b'))).toBeUndefined();
  expect(table.methodsFor(asks('DELETE', '/a/b'))).toEqual(['GET', 'POST', 'PUT']);
  expect(table.methodsFor(asks('DELETE', '/b'))).toEqual([]);
});

test.each([
  ['cookie', { cookie: { side: 'b' } }, ['Cookie', 'a=1; side=b'], true],
  ['cookie', { cookie: { side: 'b' } }, ['Cookie', 'a=side=b; aside=b'], false],
  [
    'cookie in a second field',
    { cookie: { side: { prefix: 'b' } } },
    ['cookie', 'a=1', 'cookie', 'side=bb'],
    true,
  ],
  ['header, whatever its case', { headers: { 'X-A': '1' } }, ['x-a', '0', 'X-a', '1'], true],
  ['no header', { headers: { 'x-a': { present: false } } }, ['X-A', ''], false],
  ['query', { query: { 'a b': 'ü' } }, [], true],
  ['IPv6 host', { host: '[::1]' }, ['Host', '[::1]:80'], true],
])('a condition on a %s: %j %j', (_name, conditions, rawHeaders, expected) => {
  const routes = readRoutes({ routes: [{ match: { prefix: '/', ...conditions }, service: 's' }] });
  const target = readTarget('/x?a%20b=%C3%BC');
  expect(new RouteTable(routes).match({ method: 'GET', target, rawHeaders }) !== undefined).toBe(expected);
});

test.each([
  [{ prefix: '/' }, undefined, '/x//y/', '/x//y/'],
  [{ prefix: '/' }, '/in', '/x', '/in/x'],
  [{ prefix: '/a' }, '/', '/a', '/'],
  [{ prefix: '/a' }, '/', '/%61/%62/', '/%62/'],
  [{ prefix: '/a' }, undefined, '/%61/b', '/%61/b'],
  [{ prefix: '/a/:x' }, '/v/:x/w', '/a/%41;1/b', '/v/%41;1/w/b'],
  [{ path: '/a/:x/:y' }, '/:y/:x', '/a/1/2', '/2/1'],
  [{ path: '/a/' }, '/b', '/a/', '/b'],
])('%j rewritten to %s: %s is %s for the instance', (match, rewrite, url, expected) => {
  const routes = readRoutes({
    routes: [{ match, service: 's', ...(rewrite !== undefined && { rewrite }) }],
  });
  const target = readTarget(url);
  const found = new RouteTable(routes).match({ method: 'GET', target, rawHeaders: [] })!;
  expect(rewritePath(found.pattern, found.route.rewrite, target)).toBe(expected);
});
