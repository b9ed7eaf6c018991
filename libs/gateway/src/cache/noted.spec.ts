import { afterEach, expect, test } from '@jest/globals';
import { fastify } from 'fastify';
import { createGateway } from '../gateway.ts';
import { TraceLog } from '../operations/trace-log.ts';
import { answering, cleanUp, cleanups, meshClient, ok } from '../testing/raw-http.ts';
import { ResponseCache } from './response-cache.ts';

afterEach(cleanUp);

test('what the cache did stands in the traces', async () => {
  const up = await answering(ok);
  const traces = new TraceLog();
  const { plugin } = createGateway({
    client: meshClient({ shop: up.port }),
    policies: { cache: new ResponseCache() },
    observers: { traces },
    routes: {
      routes: [
        { match: { path: '/kept' }, service: 'shop', cache: { ttlMs: 60_000 } },
        { match: { path: '/plain' }, service: 'shop' },
      ],
    },
  });
  const app = fastify();
  await app.register(plugin);
  const url = await app.listen({ port: 0, host: '127.0.0.1' });
  cleanups.push(() => app.close());
  for (const [method, path] of [
    ['GET', '/kept'],
    ['GET', '/kept'],
    ['POST', '/kept'],
    ['GET', '/plain'],
  ] as const) {
    await (await fetch(url + path, { method })).text();
  }
  const seen = traces.read().map(({ cache }) => cache);
  expect(seen.reverse()).toEqual(['miss', 'hit', 'bypass', null]);
});
