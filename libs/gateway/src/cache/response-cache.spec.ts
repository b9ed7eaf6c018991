import { describe, expect, test } from '@jest/globals';
import { ManualTime, Instances, send, type Client, type Reply, type Sent } from '../testing/cache-kit.ts';
import type { CachePolicy } from './cache-policy.ts';
import { ResponseCache, type ResponseCacheOptions } from './response-cache.ts';

function kit(policy: CachePolicy = {}, options: ResponseCacheOptions = {}) {
  const time = new ManualTime();
  const cache = new ResponseCache({ clock: time, wallClock: time, ...options });
  const instances = new Instances();
  const forward = cache.around(policy, instances.forward);
  const get = (sent: Sent = {}): Client => send(forward, sent);
  const asks = (): number => instances.exchanges.length;
  return { time, cache, instances, forward, get, asks };
}

/** Whether a second request is answered from memory, after the first got this. */
function isReused(
  reply: Reply,
  {
    sent = {},
    policy = {},
    afterS = 1,
    again = sent,
  }: {
    sent?: Sent;
    policy?: CachePolicy;
    afterS?: number;
    again?: Sent;
  } = {},
): boolean {
  const { instances, get, asks, time } = kit(policy);
  instances.reply = { body: 'x', ...reply };
  get(sent);
  time.pass(afterS);
  const second = get(again);
  expect(second.isEnded).toBe(true);
  return asks() === 1;
}

const cc = (text: string | string[], more: Record<string, string | string[]> = {}): Reply => ({
  headers: { 'Cache-Control': text, ...more },
});

describe('a hit', () => {
  test('is the answer as it came, with its age and what the cache says', () => {
    const { instances, get, time, asks } = kit();
    instances.reply = {
      headers: { 'Cache-Control': 'max-age=60', 'X-Any': 'é', ETag: '"1"', Date: time.date() },
      body: 'hello',
    };
    const first = get();
    expect([first.status, first.body, first.header('age'), first.cacheStatus]).toEqual([
      200,
      'hello',
      undefined,
      'mesh; fwd=uri-miss; stored',
    ]);
    time.pass(7.9);
    const hit = get();
    expect([hit.status, hit.body, hit.header('age'), hit.cacheStatus]).toEqual([
      200,
      'hello',
      '7',
      'mesh; hit; ttl=53',
    ]);
    expect(hit.header('x-any')).toBe('é');
    expect(asks()).toBe(1);
  });

  test('says its own age once a second, and the age of other caches counts', () => {
    const { instances, get, time } = kit();
    instances.reply = cc('max-age=60', { Age: '30' });
    get();
    time.pass(10);
    expect([get().header('age'), get().header('age')]).toEqual(['40', '40']);
    time.pass(19);
    expect(get().cacheStatus).toContain('hit');
    time.pass(1);
    expect(get().cacheStatus).toContain('fwd=stale');
  });

  test('has a Date, nothing of one connection, and no trace of the request that fetched it', () => {
    const { instances, get, time } = kit();
    const headers = {
      'Cache-Control': 'max-age=60',
      Connection: 'X-Hop',
      'X-Hop': '1',
      'Keep-Alive': 'timeout=5',
      'X-Trace-ID': 't',
      traceparent: '00-1',
      'X-Mesh-Attempts': '2',
      'X-Instance': 'a',
    };
    instances.reply = { headers };
    const date = time.date();
    get();
    time.pass(5);
    const hit = get();
    expect(hit.raw).toEqual([
      'Cache-Control',
      'max-age=60',
      'Date',
      date,
      'Age',
      '5',
      'Cache-Status',
      'mesh; hit; ttl=55',
    ]);
  });

  test('answers HEAD without a body; HEAD itself stores nothing', () => {
    const { instances, get, asks } = kit();
    instances.reply = { ...cc('max-age=60'), body: 'hello' };
    instances.reply = cc('max-age=60');
    expect(get({ method: 'HEAD' }).cacheStatus).toBe('mesh; fwd=uri-miss');
    instances.reply = { ...cc('max-age=60'), body: 'hello' };
    expect(get().body).toBe('hello');
    const head = get({ method: 'HEAD' });
    expect([head.status, head.body, head.isEnded, asks()]).toEqual([200, '', true, 2]);
  });
});

// Classes of https://cache-tests.fyi: what may be stored and for how long.
describe('storing', () => {
  test.each<[string, Reply, boolean]>([
    ['max-age', cc('max-age=60'), true],
    ['Max-Age in capitals', cc('MAX-AGE=60'), true],
    ['max-age after an extension', cc('foobar, max-age=60'), true],
    ["max-age in an extension's quoted string", cc('extension="max-age=60"'), false],
    ['a quoted comma before max-age=0', cc('x="a, max-age=60", max-age=0'), false],
    ['max-age beyond 2^31', cc('max-age=99999999999999999999'), true],
    ['two fields', cc(['public', 'max-age=60']), true],
    ['s-maxage before max-age', cc('max-age=0, s-maxage=60'), true],
    ['s-maxage=0 before max-age', cc('max-age=60, s-maxage=0'), false],
    ['max-age before Expires', cc('max-age=60', { Expires: '0' }), true],
    [
      'max-age=0 before Expires',
      cc('max-age=0', { Expires: new Date(Date.UTC(2026, 1, 1)).toUTCString() }),
      false,
    ],
    ['Expires', { headers: { Expires: new Date(Date.UTC(2026, 0, 1, 0, 1)).toUTCString() } }, true],
    ['Expires: 0', { headers: { Expires: '0' } }, false],
    ['Expires in the past', { headers: { Expires: new Date(Date.UTC(2025, 0, 1)).toUTCString() } }, false],
    ['nothing at all', {}, false],
    ['Last-Modified alone: no guessing', { headers: { 'Last-Modified': new Date(0).toUTCString() } }, false],
    ['no-store', cc('no-store, max-age=60'), false],
    ['no-cache', cc('no-cache, max-age=60'), false],
    ['private', cc('private, max-age=60'), false],
    ['must-revalidate while fresh', cc('must-revalidate, max-age=60'), true],
    ['proxy-revalidate while fresh', cc('proxy-revalidate, max-age=60'), true],
    ['immutable', cc('immutable, max-age=60'), true],
    [
      'Pragma: no-cache without Cache-Control',
      { headers: { Pragma: 'no-cache', Expires: new Date(Date.UTC(2026, 1, 1)).toUTCString() } },
      false,
    ],
    ['Pragma is nothing beside Cache-Control', cc('max-age=60', { Pragma: 'no-cache' }), true],
    ['200', { status: 200, ...cc('max-age=60') }, true],
    ['204', { status: 204, ...cc('max-age=60'), body: '' }, true],
    ['301', { status: 301, ...cc('max-age=60') }, true],
    ['302 with a lifetime', { status: 302, ...cc('max-age=60') }, true],
    ['404 with a lifetime', { status: 404, ...cc('max-age=60') }, true],
    ['206', { status: 206, ...cc('max-age=60') }, false],
    ['a status nobody knows', { status: 299, ...cc('max-age=60') }, false],
    ['500 with a lifetime', { status: 500, ...cc('max-age=60') }, false],
    ['503 with a lifetime', { status: 503, ...cc('max-age=60') }, false],
    // One odd header of one client must not decide for all (CPDoS).
    ['400, 405, 414 and 501 are for one client', { status: 400, ...cc('max-age=60') }, false],
    ['405', { status: 405, ...cc('max-age=60') }, false],
    ['414', { status: 414, ...cc('max-age=60') }, false],
    ['431', { status: 431, ...cc('max-age=60') }, false],
    ['501', { status: 501, ...cc('max-age=60') }, false],
    ['a stream of events', cc('max-age=60', { 'Content-Type': 'text/event-stream; charset=utf-8' }), false],
  ])('%s', (_name, reply, expected) => {
    expect(isReused(reply)).toBe(expected);
  });

  // undici CVE-2026-13697 and its kin: what is malformed, doubled or qualified was shared.
  test.each([
    'private="x-user", max-age=60',
    'no-cache="set-cookie", max-age=60',
    'max-age=60, max-age=60',
    'max-age=10, max-age=60',
    's-maxage=60, s-maxage=60',
    'max-age="60"',
    'max-age=60s',
    'max-age=-1, s-maxage=60',
    'max-age=1.5',
    'max-age',
    'max-age= 60',
    'max-age =60',
    'max-age=60;public',
    'max-age=60 public',
    'public "x", max-age=60',
    'max-age=60, x="unended',
    'max-age=60, stale-if-error=x',
    'PRIVATE, max-age=60',
    '\tprivate, max-age=60',
    'max-age=60,private',
  ])('never shared: Cache-Control: %s', (text) => {
    expect(isReused(cc(text))).toBe(false);
  });

  test.each<[string, Record<string, string | string[]>]>([
    ['two Age', { Age: ['1', '2'] }],
    ['Age that is none', { Age: 'old' }],
    ['Age below 0', { Age: '-1' }],
    ['two Date', { Date: ['Thu, 01 Jan 2026 00:00:00 GMT', 'Thu, 01 Jan 2026 00:00:00 GMT'] }],
    ['Date that is none', { Date: 'yesterday' }],
    ['two Expires', { Expires: ['0', '0'] }],
    ['two ETag', { ETag: ['"1"', '"2"'] }],
    ['two Content-Type', { 'Content-Type': ['text/html', 'text/plain'] }],
    ['Set-Cookie', { 'Set-Cookie': 'sid=1' }],
    ['Vary: *', { Vary: '*' }],
    ['Vary: * among others', { Vary: 'Accept, *' }],
    ['Vary in two fields', { Vary: ['Accept', '*'] }],
    ['Vary that is none', { Vary: 'a b' }],
    ['Vary by what the gateway writes', { Vary: 'X-Mesh-Identity' }],
    ['Vary by more than eight', { Vary: 'a,b,c,d,e,f,g,h,i' }],
  ])('never shared: %s', (_name, more) => {
    expect(isReused(cc('max-age=60, public', more))).toBe(false);
  });

  test.each<[string, string, boolean]>([
    ['a lifetime alone', 'max-age=60', false],
    ['public', 'public, max-age=60', true],
    ['s-maxage', 's-maxage=60', true],
    ['must-revalidate', 'must-revalidate, max-age=60', true],
  ])('Authorization (RFC 9111, 3.5) with %s', (_name, text, expected) => {
    expect(isReused(cc(text), { sent: { headers: { Authorization: 'Bearer a' } } })).toBe(expected);
  });

  test("the instance's Date counts for the age: an answer from the past is old", () => {
    const past = new Date(Date.UTC(2026, 0, 1) - 61_000).toUTCString();
    expect(isReused(cc('max-age=60', { Date: past }))).toBe(false);
    expect(isReused(cc('max-age=63', { Date: past }))).toBe(true);
  });

  test('a body that is shorter than it said, or that broke off, is not kept', () => {
    const { instances, get, asks } = kit();
    const first = get();
    instances.last.head(cc('max-age=60', { 'Content-Length': '10' }));
    instances.last.data('half');
    instances.last.sink.fail(new Error('reset'));
    expect(first.error?.message).toBe('reset');
    instances.reply = { ...cc('max-age=60', { 'Content-Length': '10' }), body: 'half' };
    get();
    get();
    expect(asks()).toBe(3);
  });

  test('an answer with trailers goes through and is not kept', () => {
    const { instances, get, asks } = kit();
    const first = get();
    instances.last.head(cc('max-age=60'));
    instances.last.data('x');
    instances.last.sink.end(['X-Sum', '1']);
    expect(first.trailers).toEqual(['X-Sum', '1']);
    get();
    expect(asks()).toBe(2);
  });

  test('guesses only when it is told to', () => {
    const reply = { headers: { 'Last-Modified': new Date(Date.UTC(2025, 11, 31)).toUTCString() } };
    expect(isReused(reply, { policy: { heuristicRatio: 0.1 } })).toBe(true);
    expect(isReused(reply, { policy: { heuristicRatio: 0.1 }, sent: { headers: { Cookie: 'a=1' } } })).toBe(
      false,
    );
  });
});

describe("the route's own time", () => {
  const policy = { ttlMs: 10_000 };
  test.each<[string, Reply, Sent, boolean]>([
    ['counts where the instance says nothing', {}, {}, true],
    ['not against its word', cc('max-age=0'), {}, false],
    ['not against no-store', cc('no-store'), {}, false],
    ['not against private', cc('private'), {}, false],
    ['not against no-cache', cc('no-cache'), {}, false],
    ['not for a 404', { status: 404 }, {}, false],
    ['not for a cookie', {}, { headers: { Cookie: 'sid=1' } }, false],
    ['not for credentials', {}, { headers: { Authorization: 'Basic x' } }, false],
    ['not for an answer that sets a cookie', { headers: { 'Set-Cookie': 'sid=1' } }, {}, false],
  ])('%s', (_name, reply, sent, expected) => {
    expect(isReused(reply, { policy, sent })).toBe(expected);
  });

  test('ends', () => {
    expect(isReused({}, { policy, afterS: 9.9 })).toBe(true);
    expect(isReused({}, { policy, afterS: 10 })).toBe(false);
  });
});

describe('wishes of the client', () => {
  const fresh = cc('max-age=60');
  test.each<[string, Record<string, string | string[]>, boolean]>([
    ['no-cache', { 'Cache-Control': 'no-cache' }, false],
    ['no-store', { 'Cache-Control': 'no-store' }, false],
    ['Pragma: no-cache', { Pragma: 'no-cache' }, false],
    ['Pragma beside Cache-Control', { Pragma: 'no-cache', 'Cache-Control': 'max-age=60' }, true],
    ['max-age=0', { 'Cache-Control': 'max-age=0' }, false],
    ['max-age that is reached', { 'Cache-Control': 'max-age=5' }, false],
    ['max-age that is not', { 'Cache-Control': 'max-age=15' }, true],
    ['min-fresh that is there', { 'Cache-Control': 'min-fresh=40' }, true],
    ['min-fresh that is not', { 'Cache-Control': 'min-fresh=55' }, false],
    ['what cannot be read', { 'Cache-Control': 'max-age=later' }, false],
    ['only-if-cached', { 'Cache-Control': 'only-if-cached' }, true],
  ])('%s', (_name, headers, expected) => {
    expect(isReused(fresh, { afterS: 10, again: { headers } })).toBe(expected);
  });

  test.each<[string, string, string, boolean]>([
    ['any', 'max-stale', 'max-age=60', true],
    ['enough', 'max-stale=20', 'max-age=60', true],
    ['not enough', 'max-stale=5', 'max-age=60', false],
    ['none', 'max-age=600', 'max-age=60', false],
    ['against must-revalidate', 'max-stale', 'max-age=60, must-revalidate', false],
    ['against s-maxage', 'max-stale', 's-maxage=60', false],
  ])('stale for %s', (_name, wish, answer, expected) => {
    expect(isReused(cc(answer), { afterS: 70, again: { headers: { 'Cache-Control': wish } } })).toBe(
      expected,
    );
  });

  test('only-if-cached without an answer is a 504', () => {
    const { get, asks } = kit();
    expect(get({ headers: { 'Cache-Control': 'only-if-cached' } }).error).toMatchObject({
      code: 'ERR_NOT_CACHED',
      status: 504,
    });
    expect(asks()).toBe(0);
  });

  test('a refresh can be overlooked', () => {
    const again = { headers: { 'Cache-Control': 'no-cache' } };
    expect(isReused(fresh, { again, policy: { ignoreClientRefresh: true } })).toBe(true);
    const { instances, get, asks } = kit({ ignoreClientRefresh: true });
    instances.reply = fresh;
    get();
    get({ headers: { 'Cache-Control': 'no-store' } });
    expect(asks()).toBe(2);
  });

  test('no-store keeps nothing of its answer', () => {
    expect(isReused(fresh, { sent: { headers: { 'Cache-Control': 'no-store' } }, again: {} })).toBe(false);
  });

  test.each([
    ['Range', { Range: 'bytes=0-1' }],
    ['If-Range', { 'If-Range': '"1"' }],
    ['If-Match', { 'If-Match': '"1"' }],
    ['If-Unmodified-Since', { 'If-Unmodified-Since': new Date(0).toUTCString() }],
    ['a body', { 'Content-Length': '2' }],
    ['a chunked body', { 'Transfer-Encoding': 'chunked' }],
    ['an upgrade', { Upgrade: 'websocket' }],
    ['two hosts', { Host: ['shop.example', 'evil.example'] }],
  ])('%s goes by, untouched', (_name, headers) => {
    const { instances, get, asks } = kit();
    instances.reply = { ...fresh, body: 'x' };
    get();
    const by = get({ headers });
    expect([by.cacheStatus, asks()]).toEqual(['mesh; fwd=bypass', 2]);
    expect(instances.last.passage.withheldHeaders).toBeUndefined();
    get();
    expect(asks()).toBe(2);
  });
});
