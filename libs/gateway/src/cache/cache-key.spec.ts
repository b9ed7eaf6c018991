import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { Identity } from '../passage.ts';
import { Instances, ManualTime, sentPassage, send, type Client, type Sent } from '../testing/cache-kit.ts';
import { readAsked } from './asked.ts';
import { allowedQuery, cacheKey, placeOnHost } from './cache-key.ts';
import { readPolicy, type CachePolicy } from './cache-policy.ts';
import { ResponseCache } from './response-cache.ts';

function kit(policy: CachePolicy = {}) {
  const time = new ManualTime();
  const cache = new ResponseCache({ clock: time, wallClock: time, maxVariants: 3 });
  const instances = new Instances();
  const forward = cache.around(policy, instances.forward);
  instances.reply = ({ passage }) => ({
    headers: { 'Cache-Control': 'public, max-age=60' },
    body: `${passage.path} for ${passage.identity?.subject ?? 'anyone'}`,
  });
  const get = (sent: Sent = {}): Client => send(forward, sent);
  return { cache, instances, get, asks: () => instances.exchanges.length };
}

/** Whether the second request is answered with the answer to the first. */
function shares(first: Sent, second: Sent, policy?: CachePolicy): boolean {
  const { get, asks } = kit(policy);
  get(first);
  get(second);
  return asks() === 1;
}

const jane: Identity = { subject: 'jane', scopes: [], by: 'jwt', claims: { iss: 'a' } };

describe('what shares an answer', () => {
  test.each<[string, Sent, Sent]>([
    ['an escaped unreserved character', { url: '/%61bc' }, { url: '/abc' }],
    ['the case of the host', { headers: { Host: 'SHOP.example' } }, {}],
    [
      'a header that is not named by Vary',
      { headers: { 'User-Agent': 'a' } },
      { headers: { 'User-Agent': 'b' } },
    ],
    [
      'a cookie, when the instance calls the answer public',
      { headers: { Cookie: 'a' } },
      { headers: { Cookie: 'b' } },
    ],
    ['one identity', { identity: jane }, { identity: { ...jane } }],
  ])('%s', (_name, first, second) => {
    expect(shares(first, second)).toBe(true);
  });

  test.each<[string, Sent, Sent]>([
    ['another query', { url: '/a?x=1' }, { url: '/a?x=2' }],
    ['another order of the query', { url: '/a?x=1&y=2' }, { url: '/a?y=2&x=1' }],
    ['an empty query', { url: '/a?' }, { url: '/a' }],
    ['the case of the path', { url: '/A' }, {}],
    ['a slash at the end', { url: '/a/' }, {}],
    ['an escaped reserved character', { url: '/a%3Bb' }, { url: '/a;b' }],
    ['another host', { headers: { Host: 'other.example' } }, {}],
    ['another route with the same path', { routeId: 'canary' }, {}],
    ['another service behind the route', { service: 'new' }, {}],
    ['another identity', { identity: jane }, { identity: { ...jane, subject: 'john' } }],
    [
      'the same subject of another issuer',
      { identity: jane },
      { identity: { ...jane, claims: { iss: 'b' } } },
    ],
    ['the same subject with a key', { identity: jane }, { identity: { ...jane, by: 'api-key', claims: {} } }],
    ['nobody and somebody', { identity: jane }, {}],
  ])('not %s', (_name, first, second) => {
    expect(shares(first, second)).toBe(false);
    expect(shares(second, first)).toBe(false);
  });

  test('a policy may share among identities', () => {
    expect(shares({ identity: jane }, {}, { partition: 'none' })).toBe(true);
  });

  test('a header may always be part of the key', () => {
    const policy = { keyHeaders: ['X-Tenant'] };
    expect(shares({ headers: { 'x-tenant': 'a' } }, { headers: { 'x-tenant': 'b' } }, policy)).toBe(false);
    expect(shares({ headers: { 'x-tenant': 'a' } }, { headers: { 'X-TENANT': 'a' } }, policy)).toBe(true);
  });

  const part = fc.string({
    unit: fc.constantFrom('a', '/', '?', '=', ' ', '\t', ':', '"', ',', '.'),
    maxLength: 6,
  });
  const asked = fc.record({
    host: part,
    path: part.map((text) => `/${text.replaceAll('?', '')}`),
    query: fc.oneof(
      fc.constant(''),
      part.map((text) => `?${text}`),
    ),
    tenant: part,
    forwardedHost: part,
    forwardedProto: part,
    // A subject is whatever the issuer wrote.
    subject: fc.option(fc.string({ unit: fc.constantFrom('a', '\n', '\r', '"', '\\'), maxLength: 6 }), {
      nil: undefined,
    }),
  });

  test('two requests have one key only when every part is equal', () => {
    const rules = readPolicy({ keyHeaders: ['X-Tenant'] });
    const keyOf = (one: typeof asked extends fc.Arbitrary<infer T> ? T : never): string => {
      const headers = {
        Host: one.host,
        'X-Tenant': one.tenant,
        'X-Forwarded-Host': one.forwardedHost,
        'X-Forwarded-Proto': one.forwardedProto,
      };
      const identity = one.subject === undefined ? {} : { identity: { ...jane, subject: one.subject } };
      const passage = sentPassage({ url: one.path + one.query, headers, ...identity });
      return cacheKey(passage, readAsked(passage.request.raw.rawHeaders), rules).full;
    };
    fc.assert(
      fc.property(asked, asked, (one, other) => {
        expect(keyOf(one) === keyOf(other)).toBe(JSON.stringify(one) === JSON.stringify(other));
        expect(keyOf(one)).toBe(keyOf({ ...one }));
      }),
      { numRuns: 500 },
    );
  });
});

describe('the query', () => {
  test.each([
    ['', ''],
    ['?', ''],
    ['?limit=1', '?limit=1'],
    ['?offset=2&limit=1', '?limit=1&offset=2'],
    ['?limit=2&x=1&limit=1', '?limit=2&limit=1'],
    ['?LIMIT=1&limit', '?limit'],
    ['?%6cimit=1', ''],
    ['?&&=&limit=', '?limit='],
  ])('%j cut to what is allowed is %j', (query, expected) => {
    expect(allowedQuery(query, ['offset', 'limit'])).toBe(expected);
  });

  test('what is not in the key does not reach the instance (poisoning by an unkeyed parameter)', () => {
    const { get, instances, asks } = kit({ queryKeys: ['page'] });
    get({ url: '/list?utm=<script>&page=2' });
    expect(instances.last.passage.path).toBe('/list?page=2');
    get({ url: '/list?page=2&utm=other' });
    expect(asks()).toBe(1);
  });
});

describe('poisoning', () => {
  test.each([
    'X-Forwarded-Host',
    'X-Forwarded-Proto',
    'X-Forwarded-Scheme',
    'X-Forwarded-Port',
    'X-Forwarded-Prefix',
  ])('%s is part of the key', (name) => {
    expect(shares({ headers: { [name]: 'evil.example' } }, {})).toBe(false);
    expect(shares({}, { headers: { [name.toLowerCase()]: 'evil.example' } })).toBe(false);
  });

  test.each([
    'X-HTTP-Method-Override',
    'X-HTTP-Method',
    'X-Method-Override',
    'X-Original-URL',
    'X-Rewrite-URL',
  ])("an answer to %s is nobody else's", (name) => {
    const { get, asks, cache } = kit();
    get({ headers: { [name]: 'DELETE' } });
    expect(cache.getSnapshot().entries).toBe(0);
    get();
    expect(asks()).toBe(2);
  });

  test("a GET with a body is nobody else's (fat GET)", () => {
    expect(shares({ headers: { 'Content-Length': '5' } }, {})).toBe(false);
  });

  test("a waiting request does not get an answer that another's header spoiled", () => {
    const { get, instances } = kit();
    instances.reply = undefined;
    get({ headers: { 'X-Forwarded-Host': 'evil.example' } });
    get();
    expect(instances.exchanges).toHaveLength(2);
  });

  test('an error that one client provoked is not kept', () => {
    const { get, instances } = kit({ ttlMs: 60_000 });
    const good = instances.reply;
    for (const status of [400, 403, 405, 413, 414, 431, 501]) {
      instances.reply = { status, headers: { 'Cache-Control': 'max-age=60' } };
      get();
    }
    instances.reply = good;
    expect(get().status).toBe(200);
  });
});

describe('deception', () => {
  const personal = { headers: {}, body: 'the account of jane' };

  test.each([
    '/account/x.css',
    '/account;x.css',
    '/account%3Bx.css',
    '/account.css',
    '/account/..;/x.js',
    '/account?x.css',
  ])('what %s looks like makes nothing cacheable: only the answer does', (url) => {
    const { get, instances, asks } = kit();
    instances.reply = personal;
    get({ url, headers: { Cookie: 'sid=jane' } });
    expect(get({ url }).body).toBe(personal.body);
    expect(asks()).toBe(2);
  });

  test("nor does the route's own time, for whoever is known by a cookie, credentials or a key", () => {
    const { get, instances, asks } = kit({ ttlMs: 60_000 });
    instances.reply = personal;
    get({ headers: { Cookie: 'sid=jane' } });
    get({ headers: { Authorization: 'Bearer jane' } });
    get({ identity: { ...jane, by: 'api-key' } });
    get();
    expect(asks()).toBe(4);
  });
});

test('what was assumed for passers-by is nothing for people, fresh or as a fallback', () => {
  const { get, instances } = kit({ ttlMs: 60_000 });
  instances.reply = { body: 'an empty basket' };
  get();
  instances.reply = { status: 503, body: 'down' };
  for (const headers of [{ Cookie: 'sid=jane' }, { Authorization: 'Bearer jane' }]) {
    expect(get({ headers })).toMatchObject({ status: 503, body: 'down' });
  }
  expect(get().body).toBe('an empty basket');
});

describe('Vary', () => {
  const vary = (text: string): CachePolicy => ({ tags: [text] });
  function varied(field: string) {
    const all = kit(vary('t'));
    all.instances.reply = { headers: { 'Cache-Control': 'max-age=60', Vary: field }, body: 'x' };
    return all;
  }

  test.each<[string, Sent['headers'], Sent['headers'], boolean]>([
    ['Accept', { Accept: 'a' }, { accept: 'a' }, true],
    ['accept', { Accept: 'a' }, { Accept: 'b' }, false],
    ['Accept', { Accept: 'a' }, {}, false],
    ['Accept, Foo', { Accept: 'a', Foo: '1' }, { Accept: 'a', Foo: '2' }, false],
    ['Accept-Encoding', { 'Accept-Encoding': 'gzip, br' }, { 'Accept-Encoding': 'GZIP,br' }, true],
    ['Accept-Encoding', { 'Accept-Encoding': 'gzip, br' }, { 'Accept-Encoding': ['gzip', 'br'] }, true],
    ['Foo', { Foo: 'a' }, { Foo: 'A' }, false],
    ['Foo', { Foo: '' }, { Bar: '' }, true],
    ['', { Foo: '1' }, { Foo: '2' }, true],
  ])('%s: %j and %j', (field, first, second, expected) => {
    const { get, asks } = varied(field);
    get({ headers: first ?? {} });
    get({ headers: second ?? {} });
    expect(asks()).toBe(expected ? 1 : 2);
  });

  test('variants live side by side, up to their bound; the oldest goes', () => {
    const { get, asks } = varied('Foo');
    for (const foo of ['1', '2', '3']) get({ headers: { Foo: foo } });
    for (const foo of ['1', '2', '3']) get({ headers: { Foo: foo } });
    expect(asks()).toBe(3);
    expect(get({ headers: { Foo: '4' } }).cacheStatus).toBe('mesh; fwd=vary-miss; stored');
    get({ headers: { Foo: '2' } });
    expect(asks()).toBe(4);
    get({ headers: { Foo: '1' } });
    expect(asks()).toBe(5);
  });
});

test.each([
  [undefined, undefined],
  ['/b', 'shop.example\n/b'],
  ['c', 'shop.example\n/x/c'],
  ['http://shop.example/%61?q', 'shop.example\n/a'],
  ['//shop.example/d', 'shop.example\n/d'],
  ['https://other.example/b', undefined],
  ['//other.example/b', undefined],
  ['http://shop.example:8080/b', undefined],
  ['http://[', undefined],
])('Location %j is at %j', (location, expected) => {
  expect(placeOnHost(location, 'shop.example', '/x/y')).toBe(expected);
});
