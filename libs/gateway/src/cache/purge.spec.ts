import { describe, expect, test } from '@jest/globals';
import { fastify } from 'fastify';
import { Instances, ManualTime, send, type Client, type Sent } from '../testing/cache-kit.ts';
import { cacheRoutes } from './cache-routes.ts';
import type { PurgeTarget } from './purge.ts';
import { ResponseCache } from './response-cache.ts';

function kit() {
  const time = new ManualTime();
  const cache = new ResponseCache({ clock: time, wallClock: time });
  const instances = new Instances();
  const forward = cache.around({ tags: ['shop'] }, instances.forward);
  instances.reply = { headers: { 'Cache-Control': 'max-age=60' }, body: 'x' };
  const get = (url: string, sent: Sent = {}): Client => send(forward, { url, ...sent });
  const isHit = (url: string, sent: Sent = {}): boolean =>
    get(url, { ...sent, headers: { 'Cache-Control': 'only-if-cached', ...sent.headers } }).status === 200;
  return { cache, instances, forward, get, isHit };
}

describe('a change', () => {
  test.each<[string, string, number, Record<string, string>, string[]]>([
    ['that succeeds', 'POST', 201, {}, ['/b', '/c']],
    ['by PUT', 'PUT', 204, {}, ['/b', '/c']],
    ['by a method nobody knows', 'FROB', 200, {}, ['/b', '/c']],
    ['with a redirect', 'POST', 303, {}, ['/b', '/c']],
    ['that fails', 'POST', 409, {}, ['/a', '/a?page=2', '/b', '/c']],
    ['that breaks', 'POST', 500, {}, ['/a', '/a?page=2', '/b', '/c']],
    ['that is none', 'OPTIONS', 200, {}, ['/a', '/a?page=2', '/b', '/c']],
    [
      'that names another place',
      'POST',
      201,
      { Location: '/b', 'Content-Location': 'http://shop.example/c' },
      [],
    ],
    ['that names a place elsewhere', 'POST', 201, { Location: 'http://other.example/b' }, ['/b', '/c']],
  ])('%s (%s, %d) leaves what it did not change', (_name, method, status, headers, left) => {
    const { instances, get, isHit } = kit();
    const all = ['/a', '/a?page=2', '/b', '/c'];
    for (const url of all) get(url);
    instances.reply = { status, headers };
    expect(get('/a', { method }).cacheStatus).toBe('mesh; fwd=method');
    expect(all.filter((url) => isHit(url))).toEqual(left);
  });

  test('leaves other hosts alone', () => {
    const { get, isHit } = kit();
    const headers = { Host: 'other.example' };
    get('/a', { headers });
    get('/a', { method: 'POST' });
    expect(isHit('/a', { headers })).toBe(true);
  });

  test('makes an answer stale that is still on its way', () => {
    const { instances, get, isHit } = kit();
    const { reply } = instances;
    instances.reply = undefined;
    const [before, during] = [get('/a'), get('/b')];
    instances.exchanges[1]?.head({ headers: { 'Cache-Control': 'max-age=60' } });
    instances.reply = { status: 200 };
    get('/a', { method: 'POST' });
    get('/b', { method: 'POST' });
    instances.reply = reply;
    expect(get('/a').body).toBe('x');
    instances.exchanges[0]?.answer({ headers: { 'Cache-Control': 'max-age=60' }, body: 'old' });
    instances.exchanges[1]?.data('old');
    instances.exchanges[1]?.sink.end([]);
    expect([before.body, during.body, get('/a').body, isHit('/b')]).toEqual(['old', 'old', 'x', false]);
  });
});

describe('purge', () => {
  test.each<[PurgeTarget, number, string[]]>([
    [{ path: '/a' }, 2, ['/ab', '/b/c']],
    [{ path: '/%61' }, 2, ['/ab', '/b/c']],
    [{ path: '/a?page=2' }, 1, ['/a', '/ab', '/b/c']],
    [{ prefix: '/a' }, 3, ['/b/c']],
    [{ prefix: '/b/' }, 1, ['/a', '/a?page=2', '/ab']],
    [{ path: '/a', host: 'OTHER.example' }, 0, ['/a', '/a?page=2', '/ab', '/b/c']],
    [{ path: '/a', host: 'SHOP.example' }, 2, ['/ab', '/b/c']],
    [{ tag: 'shop' }, 4, []],
    [{ tag: 'blue' }, 1, ['/a', '/a?page=2', '/ab']],
    [{ tag: 'none' }, 0, ['/a', '/a?page=2', '/ab', '/b/c']],
    ['all', 4, []],
  ])('%j takes %d', (target, count, left) => {
    const { instances, get, isHit, cache } = kit();
    const all = ['/a', '/a?page=2', '/ab'];
    for (const url of all) get(url);
    instances.reply = { headers: { 'Cache-Control': 'max-age=60', 'Cache-Tag': 'red, blue' }, body: 'x' };
    get('/b/c');
    expect(cache.purge(target)).toBe(count);
    expect([...all, '/b/c'].filter((url) => isHit(url))).toEqual(left);
    expect(cache.getSnapshot().entries).toBe(left.length);
  });

  test('reaches what is still on its way', () => {
    const { instances, get, isHit, cache } = kit();
    instances.reply = undefined;
    get('/a');
    cache.purge({ tag: 'any' });
    instances.last.answer({ headers: { 'Cache-Control': 'max-age=60' }, body: 'old' });
    expect(isHit('/a')).toBe(false);
  });

  test('a path starts with a slash', () => {
    expect(() => kit().cache.purge({ path: 'a' })).toThrow(RangeError);
  });
});

describe('cacheRoutes', () => {
  async function app() {
    const { cache, get } = kit();
    get('/a');
    get('/b?x=1');
    const server = fastify();
    await server.register(cacheRoutes, { cache, guard: { token: 'secret' } });
    const headers = { authorization: 'Bearer secret' };
    return { cache, server, headers };
  }

  test('purges for whoever has the token', async () => {
    const { server, headers, cache } = await app();
    const one = await server.inject({ method: 'DELETE', url: '/cache?path=/a', headers });
    expect([one.statusCode, one.json()]).toEqual([200, { purged: 1 }]);
    const two = await server.inject({ method: 'POST', url: '/cache/purge', headers, payload: { all: true } });
    expect([two.json(), cache.getSnapshot().entries]).toEqual([{ purged: 1 }, 0]);
  });

  test.each<[string, Record<string, string>, number]>([
    ['no token', {}, 401],
    ['another token', { authorization: 'Bearer wrong' }, 401],
    ['another host', { authorization: 'Bearer secret', host: 'evil.example' }, 403],
    ['a page of another origin', { authorization: 'Bearer secret', origin: 'https://evil.example' }, 403],
  ])('%s is refused', async (_name, headers, status) => {
    const { server, cache } = await app();
    for (const request of [
      { method: 'DELETE', url: '/cache?path=/a' },
      { method: 'POST', url: '/cache/purge', payload: { all: true } },
    ] as const) {
      const answer = await server.inject({ ...request, headers });
      expect([answer.statusCode, answer.headers['content-type']]).toEqual([
        status,
        'application/problem+json; charset=utf-8',
      ]);
    }
    expect(cache.getSnapshot().entries).toBe(2);
  });

  test.each(['/cache', '/cache?path=a', '/cache?path=/a&prefix=/a', '/cache?tag=', '/cache?all=true'])(
    '%s is a bad request',
    async (url) => {
      const { server, headers, cache } = await app();
      expect((await server.inject({ method: 'DELETE', url, headers })).statusCode).toBe(400);
      expect(cache.getSnapshot().entries).toBe(2);
    },
  );
});
