import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { readTarget } from './request-target.ts';
import { isServiceName, RouteTable, type ProxyRoute } from './route-table.ts';

const segment = fc.constantFrom('a', 'b', 'ab', 'api');
const prefix = fc.array(segment, { minLength: 1, maxLength: 3 }).map((parts) => `/${parts.join('/')}`);
const route: fc.Arbitrary<ProxyRoute> = fc.record(
  { prefix, service: fc.constantFrom('s1', 's2'), rewrite: fc.constantFrom('/', '/x', '/x/y') },
  { requiredKeys: ['prefix', 'service'] },
);

/** Tries every prefix of the path from the longest on, segment by segment. */
function naiveMatch(
  routes: readonly ProxyRoute[],
  path: string,
): { service: string; path: string } | undefined {
  const parts = path.split('/').slice(1);
  for (let length = parts.length; length > 0; length--) {
    const head = `/${parts.slice(0, length).join('/')}`;
    const rest = parts
      .slice(length)
      .map((part) => `/${part}`)
      .join('');
    const found = routes.find((one) => one.prefix === head);
    if (found !== undefined) {
      const start = found.rewrite === undefined ? head : found.rewrite === '/' ? '' : found.rewrite;
      return { service: found.service, path: start + rest || '/' };
    }
    if (head === '/api' && length < parts.length) {
      const name = parts[length] ?? '';
      return isServiceName(name) ? { service: name, path: rest.slice(name.length + 1) || '/' } : undefined;
    }
    if (head === '/api') return undefined;
  }
  return undefined;
}

test('the longest prefix wins, on whole segments', () => {
  const path = fc.array(fc.oneof(segment, fc.constant('')), { minLength: 1, maxLength: 5 });
  fc.assert(
    fc.property(fc.uniqueArray(route, { selector: (one) => one.prefix }), path, (routes, parts) => {
      fc.pre(routes.every((one) => one.prefix !== '/api'));
      const table = new RouteTable(routes, '/api');
      const url = `/${parts.join('/')}`;
      const found = table.match(readTarget(url));
      expect(found && { service: found.service, path: found.path }).toEqual(naiveMatch(routes, url));
    }),
  );
});

test.each(['a', 'a1', '1a', 'user-service', 'a'.repeat(63), '0xg', 'local', 'constructor'])(
  '%s is a name',
  (name) => {
    expect(isServiceName(name)).toBe(true);
  },
);

test.each([
  '',
  'A',
  '-a',
  'a-',
  'a.b',
  'a_b',
  'a:1',
  'a/b',
  'a@b',
  '[::1]',
  'a'.repeat(64),
  'localhost',
  '127',
  '0',
  '0x',
  '0x7f',
  '\u00fc',
  'a\n',
])('%j is no name', (name) => {
  expect(isServiceName(name)).toBe(false);
});

test('every name is its own host for a URL parser', () => {
  fc.assert(
    fc.property(fc.stringMatching(/^[a-z0-9]([a-z0-9-]{0,9}[a-z0-9])?$/), (name) => {
      if (isServiceName(name) && !name.startsWith('xn--')) expect(new URL(`http://${name}/`).host).toBe(name);
    }),
    { numRuns: 1_000 },
  );
});
