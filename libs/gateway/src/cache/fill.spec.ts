import { afterEach, describe, expect, jest, test } from '@jest/globals';
import { Client, Instances, ManualTime, send, type Reply, type Sent } from '../testing/cache-kit.ts';
import type { CachePolicy } from './cache-policy.ts';
import { ResponseCache, type ResponseCacheOptions } from './response-cache.ts';

function kit(policy: CachePolicy = {}, options: ResponseCacheOptions = {}) {
  const time = new ManualTime();
  const cache = new ResponseCache({ clock: time, wallClock: time, ...options });
  const instances = new Instances();
  const forward = cache.around(policy, instances.forward);
  const get = (headers: Sent['headers'] = {}, client = new Client()): Client =>
    send(forward, { headers }, client);
  const asks = (): number => instances.exchanges.length;
  return { time, cache, instances, forward, get, asks };
}

const fresh: Reply = { headers: { 'Cache-Control': 'max-age=10' }, body: 'one' };
const tagged: Reply = {
  headers: { 'Cache-Control': 'max-age=10', ETag: '"1"', 'X-Kept': 'old' },
  body: 'one',
};
const refused = new Error('refused');

afterEach(() => {
  jest.useRealTimers();
});

describe('a stale answer with a validator', () => {
  test('is confirmed by 304, which renews its head, and the body stays', () => {
    const { instances, get, time, asks } = kit();
    instances.reply = tagged;
    get();
    time.pass(11);
    instances.reply = {
      status: 304,
      headers: { 'Cache-Control': 'max-age=20', ETag: '"1"', 'X-New': 'yes', 'Content-Length': '0' },
    };
    const second = get({ 'If-None-Match': '"other"' });
    expect([second.status, second.body, second.cacheStatus]).toEqual([
      200,
      'one',
      'mesh; fwd=stale; fwd-status=304',
    ]);
    expect([second.header('x-new'), second.header('x-kept'), second.header('content-length')]).toEqual([
      'yes',
      'old',
      undefined,
    ]);
    expect(instances.last.added('if-none-match')).toBe('"1"');
    expect(instances.last.passage.withheldHeaders).toEqual(['if-none-match', 'if-modified-since']);
    time.pass(19);
    expect(get().cacheStatus).toBe('mesh; hit; ttl=1');
    expect(asks()).toBe(2);
  });

  test('is asked about by Last-Modified as well', () => {
    const { instances, get, time } = kit();
    const modified = time.date(-100);
    instances.reply = { headers: { 'Cache-Control': 'max-age=10', 'Last-Modified': modified }, body: 'one' };
    get();
    time.pass(11);
    instances.reply = { status: 304, headers: { 'Cache-Control': 'max-age=10' } };
    expect(get().body).toBe('one');
    expect([instances.last.added('if-none-match'), instances.last.added('if-modified-since')]).toEqual([
      undefined,
      modified,
    ]);
  });

  test('gives way to a whole answer', () => {
    const { instances, get, time } = kit();
    instances.reply = tagged;
    get();
    time.pass(11);
    instances.reply = { headers: { 'Cache-Control': 'max-age=10', ETag: '"2"' }, body: 'two' };
    expect(get()).toMatchObject({ body: 'two', cacheStatus: 'mesh; fwd=stale; fwd-status=200; stored' });
    expect(get()).toMatchObject({ body: 'two', cacheStatus: 'mesh; hit; ttl=10' });
  });

  test('is gone when the whole answer is not for sharing', () => {
    const { instances, get, time, cache } = kit();
    instances.reply = tagged;
    get();
    time.pass(11);
    instances.reply = { headers: { 'Cache-Control': 'private' }, body: 'mine' };
    expect(get().body).toBe('mine');
    expect(cache.getSnapshot().entries).toBe(0);
  });

  test('is gone when the 304 says that it is private now; who asked still gets it', () => {
    const { instances, get, time, cache } = kit();
    instances.reply = tagged;
    get();
    time.pass(11);
    instances.reply = { status: 304, headers: { 'Cache-Control': 'private', ETag: '"1"' } };
    expect(get()).toMatchObject({ status: 200, body: 'one' });
    expect(cache.getSnapshot().entries).toBe(0);
  });

  test('a 304 about another entity is not believed: the whole is fetched', () => {
    const { instances, get, time } = kit();
    instances.reply = tagged;
    get();
    time.pass(11);
    instances.reply = ({ added }) =>
      added.call(instances.last, 'if-none-match') === undefined
        ? { ...tagged, body: 'two' }
        : { status: 304, headers: { ETag: '"9"' } };
    expect(get().body).toBe('two');
  });

  test('no-cache answers are kept and confirmed each time', () => {
    const { instances, get, asks } = kit();
    instances.reply = { headers: { 'Cache-Control': 'no-cache', ETag: '"1"' }, body: 'one' };
    get();
    instances.reply = { status: 304, headers: { ETag: '"1"' } };
    expect([get().body, get().body, asks()]).toEqual(['one', 'one', 3]);
  });

  test('a client that insists (no-cache) has a fresh one confirmed', () => {
    const { instances, get } = kit();
    instances.reply = tagged;
    get();
    instances.reply = { status: 304, headers: {} };
    expect(get({ 'Cache-Control': 'no-cache' })).toMatchObject({
      body: 'one',
      cacheStatus: 'mesh; fwd=request; fwd-status=304',
    });
    expect(instances.last.added('if-none-match')).toBe('"1"');
  });
});

describe('conditions of the client', () => {
  test.each([
    ['"1"', 304],
    ['W/"1"', 304],
    ['"0", "1"', 304],
    ['*', 304],
    ['"2"', 200],
    ['1', 200],
  ])('If-None-Match: %s is answered from memory with %d', (value, status) => {
    const { instances, get, asks } = kit();
    instances.reply = {
      headers: { 'Cache-Control': 'max-age=10', ETag: 'W/"1"', 'Content-Type': 'text/plain', Vary: 'Origin' },
      body: 'one',
    };
    get();
    const client = get({ 'If-None-Match': value });
    expect([client.status, asks()]).toEqual([status, 1]);
    if (status === 304)
      expect([
        client.body,
        client.header('content-type'),
        client.header('vary'),
        client.header('etag'),
      ]).toEqual(['', undefined, 'Origin', 'W/"1"']);
  });

  test('If-Modified-Since counts where there is no If-None-Match', () => {
    const { instances, get, time } = kit();
    instances.reply = {
      headers: { 'Cache-Control': 'max-age=10', 'Last-Modified': time.date(-100) },
      body: 'one',
    };
    get();
    expect(get({ 'If-Modified-Since': time.date(-100) }).status).toBe(304);
    expect(get({ 'If-Modified-Since': time.date(-101) }).status).toBe(200);
    expect(get({ 'If-Modified-Since': 'never' }).status).toBe(200);
    expect(get({ 'If-Modified-Since': time.date(), 'If-None-Match': '"x"' }).status).toBe(200);
  });

  test('a miss asks for the whole, so that others can have it; the client gets its 304 and the rest is still stored', () => {
    const { instances, get, asks } = kit();
    const client = get({ 'If-None-Match': '"1"' });
    expect(instances.last.passage.withheldHeaders?.includes('if-none-match')).toBe(true);
    instances.last.head(tagged);
    expect([client.status, client.isEnded]).toEqual([304, true]);
    client.flow?.abort(new Error('gone'));
    instances.last.data('one');
    instances.last.sink.end([]);
    expect(instances.last.abortedFor).toBeUndefined();
    expect([get().body, asks()]).toEqual(['one', 1]);
  });
});

describe('stale-while-revalidate', () => {
  const policy = { staleWhileRevalidateMs: 30_000 };

  test('answers at once, and one refresh runs behind it', () => {
    const { instances, get, time, asks, cache } = kit(policy);
    instances.reply = fresh;
    get();
    time.pass(12);
    instances.reply = undefined;
    expect([get().cacheStatus, get().body, asks()]).toEqual(['mesh; hit; ttl=-2', 'one', 2]);
    instances.last.answer({ ...fresh, body: 'two' });
    expect([get().body, get().cacheStatus, asks()]).toEqual(['two', 'mesh; hit; ttl=10', 2]);
    expect(cache.getSnapshot()).toMatchObject({ hits: 2, stale: 2, misses: 1, hitRatio: 0.8 });
  });

  test("the answer's own time goes before the route's", () => {
    const { instances, get, time, asks } = kit(policy);
    instances.reply = { headers: { 'Cache-Control': 'max-age=10, stale-while-revalidate=1' }, body: 'one' };
    get();
    time.pass(11.5);
    expect([get().cacheStatus, asks()]).toEqual(['mesh; fwd=stale; fwd-status=200; stored', 2]);
  });

  test.each(['must-revalidate', 'proxy-revalidate', 's-maxage=10'])('not with %s', (directive) => {
    const { instances, get, time } = kit(policy);
    instances.reply = { headers: { 'Cache-Control': `max-age=10, ${directive}` }, body: 'one' };
    get();
    time.pass(12);
    expect(get().cacheStatus).toBe('mesh; fwd=uri-miss; stored');
  });

  test('s-maxage with a time of its own wants both', () => {
    const { instances, get, time } = kit();
    instances.reply = { headers: { 'Cache-Control': 's-maxage=10, stale-while-revalidate=10' }, body: 'one' };
    get();
    time.pass(12);
    expect(get().cacheStatus).toBe('mesh; hit; ttl=-2');
  });

  test('the refresh goes on without the client, and its failure harms nobody and waits a second', () => {
    const { instances, get, time, asks } = kit(policy);
    instances.reply = fresh;
    get();
    time.pass(12);
    instances.reply = undefined;
    get().flow?.abort(new Error('gone'));
    expect(instances.last.abortedFor).toBeUndefined();
    instances.last.sink.fail(refused);
    get();
    expect(asks()).toBe(2);
    time.pass(1);
    expect([get().body, asks()]).toEqual(['one', 3]);
  });
});

describe('stale-if-error', () => {
  test.each([500, 502, 503, 504])('stands in for a %d, whose body is not waited for', (status) => {
    const { instances, get, time } = kit();
    instances.reply = fresh;
    get();
    time.pass(3_600);
    instances.reply = undefined;
    const client = get();
    instances.last.head({ status });
    expect(client).toMatchObject({ status: 200, body: 'one', isEnded: true });
    expect(client.cacheStatus).toBe(`mesh; fwd=stale; fwd-status=${status}; detail=stale-if-error`);
    expect(client.header('age')).toBe('3600');
    expect(instances.last.abortedFor).toBeDefined();
  });

  test('stands in for an instance that cannot be reached, within its time', () => {
    const { instances, get, time } = kit({ staleIfErrorMs: 100_000 });
    instances.reply = fresh;
    get();
    time.pass(109);
    instances.reply = undefined;
    const client = get();
    instances.last.sink.fail(refused);
    expect(client).toMatchObject({ body: 'one', cacheStatus: 'mesh; fwd=stale; detail=stale-if-error' });
    time.pass(1);
    const late = get();
    instances.last.sink.fail(refused);
    expect(late.error).toBe(refused);
  });

  test('an instance that says nothing about caching has its last good answer as well: the fallback of the seeds', () => {
    const { instances, get, asks } = kit();
    instances.reply = { body: 'one' };
    get();
    get();
    expect(asks()).toBe(2);
    instances.reply = { status: 503, body: 'down' };
    expect(get()).toMatchObject({ status: 200, body: 'one' });
  });

  test.each([
    'no-cache',
    'max-age=10, must-revalidate',
    'max-age=10, proxy-revalidate',
    's-maxage=10',
    'max-age=10, stale-if-error=0',
  ])('not with %s', (text) => {
    const { instances, get, time } = kit();
    instances.reply = { headers: { 'Cache-Control': text, ETag: '"1"' }, body: 'one' };
    get();
    time.pass(12);
    instances.reply = { status: 503, body: 'down' };
    expect(get()).toMatchObject({ status: 503, body: 'down' });
  });

  test('not for a 4xx, and not once the head of the answer is out', () => {
    const { instances, get, time } = kit();
    instances.reply = fresh;
    get();
    time.pass(12);
    instances.reply = { status: 429, body: 'later' };
    expect(get().status).toBe(429);
    instances.reply = fresh;
    get();
    time.pass(12);
    instances.reply = undefined;
    const client = get();
    instances.last.head(fresh);
    instances.last.sink.fail(refused);
    expect(client.error).toBe(refused);
  });
});

describe('equal requests at one time', () => {
  test('go to the instance once, and all read as it comes', () => {
    const { instances, get, asks, cache } = kit();
    const clients = [get(), get(), get()];
    expect(asks()).toBe(1);
    instances.last.head(fresh);
    clients.push(get());
    instances.last.data('on');
    clients.push(get());
    expect(clients.map(({ body }) => body)).toEqual(['on', 'on', 'on', 'on', 'on']);
    instances.last.data('e');
    instances.last.sink.end([]);
    expect(clients.map(({ body, isEnded }) => [body, isEnded])).toEqual(clients.map(() => ['one', true]));
    expect(clients.map(({ cacheStatus }) => cacheStatus)).toEqual([
      'mesh; fwd=uri-miss; stored',
      ...Array<string>(4).fill('mesh; fwd=uri-miss; collapsed'),
    ]);
    expect([asks(), cache.getSnapshot()]).toMatchObject([1, { misses: 1, coalesced: 4 }]);
  });

  test.each<[string, Reply]>([
    ['private', { headers: { 'Cache-Control': 'private' } }],
    ['Set-Cookie', { headers: { 'Cache-Control': 'max-age=10', 'Set-Cookie': 'a=1' } }],
    ['nothing said', {}],
    ['max-age=0', { headers: { 'Cache-Control': 'max-age=0' } }],
    ['an error', { status: 500 }],
  ])(
    'each goes by itself when the answer is not for sharing (%s), and later ones do not wait',
    (_name, reply) => {
      const { instances, get, asks } = kit();
      const clients = [get(), get(), get()];
      instances.exchanges[0]?.answer({ ...reply, body: 'first' });
      expect(asks()).toBe(3);
      instances.exchanges[1]?.answer({ ...reply, body: 'second' });
      instances.exchanges[2]?.answer({ ...reply, body: 'third' });
      expect(clients.map(({ body }) => body)).toEqual(['first', 'second', 'third']);
      if (reply.status === 500) return;
      get();
      get();
      expect(asks()).toBe(5);
    },
  );

  test('answers too long to keep go through whole; who waited goes alone', () => {
    const { instances, get, asks } = kit({ maxEntryBytes: 4 });
    const [first] = [get(), get()];
    instances.exchanges[0]?.answer({
      headers: { 'Cache-Control': 'max-age=10', 'Content-Length': '5' },
      body: 'hello',
    });
    expect([first.body, asks()]).toEqual(['hello', 2]);
  });

  test('different variants do not wait for each other, once it is known what tells them apart', () => {
    const { instances, get, asks } = kit();
    const br = { 'Accept-Encoding': 'br' };
    const gzip = { 'Accept-Encoding': 'gzip' };
    const none = {};
    const clients = [get(br), get(gzip), get(gzip), get(none), get(none), get(br)];
    expect(asks()).toBe(1);
    const vary = { 'Cache-Control': 'max-age=10', Vary: 'Accept-Encoding' };
    instances.exchanges[0]?.answer({ headers: vary, body: 'br' });
    expect(asks()).toBe(3);
    instances.exchanges[1]?.answer({ headers: vary, body: 'gzip' });
    instances.exchanges[2]?.answer({ headers: vary, body: 'none' });
    expect(clients.map(({ body }) => body)).toEqual(['br', 'gzip', 'gzip', 'none', 'none', 'br']);
    expect([get(br).body, get(gzip).body, get(none).body, asks()]).toEqual(['br', 'gzip', 'none', 3]);
  });

  test('the wait is bounded', () => {
    jest.useFakeTimers();
    const { instances, get, asks } = kit({}, { coalesceWaitMs: 100 });
    const clients = [get(), get(), get()];
    jest.advanceTimersByTime(99);
    expect(asks()).toBe(1);
    jest.advanceTimersByTime(1);
    expect(asks()).toBe(3);
    for (const exchange of instances.exchanges) exchange.answer(fresh);
    expect(clients.every(({ body }) => body === 'one')).toBe(true);
    expect(jest.getTimerCount()).toBe(0);
  });

  test('the first client may leave: the others get the answer', () => {
    const { instances, get } = kit();
    const [first, second] = [get(), get()];
    first.flow?.abort(new Error('gone'));
    expect(instances.last.abortedFor).toBeUndefined();
    instances.last.answer(fresh);
    expect(second).toMatchObject({ body: 'one', isEnded: true });
    expect(first.status).toBe(0);
  });

  test('when all have left the instance is told, and a new request does not join', () => {
    const { instances, get, asks } = kit();
    const gone = new Error('gone');
    const clients = [get(), get()];
    for (const client of clients) client.flow?.abort(gone);
    expect(instances.last.abortedFor).toBe(gone);
    get();
    expect(asks()).toBe(2);
  });

  test('a failure of the fetch: its client gets it, those who waited share one more try', () => {
    const { instances, get, asks } = kit();
    const clients = [get(), get(), get()];
    instances.last.sink.fail(refused);
    expect([clients[0]?.error, asks()]).toEqual([refused, 2]);
    instances.last.answer(fresh);
    expect(clients.slice(1).map(({ body }) => body)).toEqual(['one', 'one']);
  });

  test('a second failure is the answer: a herd asks twice, not once for each of its heads', () => {
    const { instances, get, asks } = kit();
    const clients = Array.from({ length: 50 }, () => get());
    instances.last.sink.fail(refused);
    instances.last.sink.fail(refused);
    expect(asks()).toBe(2);
    expect(clients.every(({ error }) => error === refused)).toBe(true);
  });

  test("a failure in the body is everyone's who has its head", () => {
    const { instances, get } = kit();
    const clients = [get(), get()];
    instances.last.head(fresh);
    instances.last.data('on');
    instances.last.sink.fail(refused);
    expect(clients.map(({ body, error }) => [body, error])).toEqual([
      ['on', refused],
      ['on', refused],
    ]);
  });

  test('who insists on a confirmation does not join a fetch that began before', () => {
    const { get, asks } = kit();
    get();
    get({ 'Cache-Control': 'no-cache' });
    get({ 'Cache-Control': 'max-age=0' });
    expect(asks()).toBe(3);
  });

  test('can be turned off', () => {
    const { get, asks } = kit({ coalesce: false });
    get();
    get();
    expect(asks()).toBe(2);
  });

  test('a forward that throws fails like any other', () => {
    const cache = new ResponseCache();
    const forward = cache.around({}, () => {
      throw refused;
    });
    expect(send(forward).error).toBe(refused);
  });

  test('interim answers go to the first', () => {
    const { instances, get } = kit();
    const [first, second] = [get(), get()];
    instances.last.sink.inform(103, []);
    expect([first.interim, second.interim]).toEqual([[103], []]);
  });
});

describe('slow clients', () => {
  test('a slow client slows nobody while the answer is stored, and gets the rest in one piece', () => {
    const { instances, get } = kit();
    const slow = new Client();
    slow.isSlow = true;
    get({}, slow);
    const quick = get();
    instances.last.head(fresh);
    for (const part of ['a', 'b', 'c']) instances.last.data(part);
    expect([slow.body, quick.body, instances.last.isPaused]).toEqual(['a', 'abc', false]);
    instances.last.sink.end([]);
    expect([quick.isEnded, slow.isEnded]).toEqual([true, false]);
    slow.flow?.resume();
    expect([slow.chunks, slow.isEnded]).toEqual([['a', 'bc'], true]);
  });

  test('an answer that turns out too long is passed on at the pace of the first; who falls behind is let go', () => {
    const { instances, get, cache, asks } = kit({ maxEntryBytes: 4 });
    const [first, slow] = [new Client(), new Client()];
    slow.isSlow = true;
    get({}, first);
    get({}, slow);
    const { last } = instances;
    last.head(fresh);
    for (const part of ['aaa', 'bbb']) last.data(part);
    expect([first.body, slow.body, slow.error, last.isPaused]).toEqual(['aaabbb', 'aaa', undefined, false]);
    last.data('ccc');
    expect([first.body, slow.error?.message]).toEqual([
      'aaabbbccc',
      'The client reads too slowly to share an answer that is not kept.',
    ]);
    first.isSlow = true;
    last.data('d');
    expect(last.isPaused).toBe(true);
    first.flow?.resume();
    expect(last.isPaused).toBe(false);
    last.sink.end([]);
    expect([first.body, first.isEnded, cache.getSnapshot().entries]).toEqual(['aaabbbcccd', true, 0]);
    get();
    expect(asks()).toBe(2);
  });

  test('bytes on their way in are bounded over all fetches', () => {
    const { instances, forward, cache } = kit({}, { maxBytes: 10 });
    const clients = ['/a', '/b'].map((url) => send(forward, { url }));
    for (const exchange of instances.exchanges) {
      exchange.head(fresh);
      exchange.data('123456');
    }
    const late = send(forward, { url: '/b' });
    expect(instances.exchanges).toHaveLength(3);
    for (const exchange of instances.exchanges.slice(0, 2)) exchange.sink.end([]);
    instances.last.answer(fresh);
    expect([...clients, late].map(({ body }) => body)).toEqual(['123456', '123456', 'one']);
    // An entry with its head is greater than the whole store.
    expect(cache.getSnapshot()).toMatchObject({ entries: 0, bytes: 0 });
  });
});
