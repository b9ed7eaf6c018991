import { afterEach, expect, test } from '@jest/globals';
import { createServiceClient } from '@mesh/service-client';
import Fastify from 'fastify';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createApiKey } from '../auth/api-key.ts';
import { ApiKeys } from '../auth/api-keys.ts';
import { authentication } from '../auth/authentication.ts';
import { ResponseCache } from '../cache/response-cache.ts';
import { createGateway } from '../gateway.ts';
import { rateLimit } from '../limits/rate-limit.ts';
import { Overload } from '../operations/overload.ts';

const cleanups: (() => unknown)[] = [];

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

/** A service that counts its calls and says who asked. */
async function counting(): Promise<{ port: number; calls: () => number }> {
  let calls = 0;
  const server = createServer((request, response) => {
    calls++;
    request.resume();
    response.writeHead(200, { 'cache-control': 'max-age=60', server: 'counting' });
    response.end(JSON.stringify({ call: calls, key: request.headers['x-api-key'] ?? null }));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  cleanups.push(() => {
    server.closeAllConnections();
    server.close();
  });
  return { port: (server.address() as AddressInfo).port, calls: () => calls };
}

test('all policies on one route: who is not known is not counted, who is counted is answered from memory, and the rest waits', async () => {
  const shop = await counting();
  const [ada, bob] = [createApiKey('mesh', 'ada'), createApiKey('mesh', 'bob')];
  const apiKeys = new ApiKeys([
    { id: 'ada', hash: ada.hash, scopes: ['shop:read'] },
    { id: 'bob', hash: bob.hash, scopes: [] },
  ]);
  const instances = [{ id: 'shop-1', host: '127.0.0.1', port: shop.port }];
  const client = createServiceClient({
    discovery: { peek: () => ({ instances }), resolve: () => Promise.resolve({ instances }) },
  });
  cleanups.push(() => client.close(0));
  const gateway = createGateway({
    client,
    policies: {
      overload: new Overload(),
      auth: (rules) => authentication({ apiKeys, rules }),
      rateLimit: (rules) => rateLimit({ rules }),
      cache: new ResponseCache(),
    },
    routes: `
defaults:
  auth: { scopes: ['shop:read'] }
  responseHeaders: { remove: [server] }
routes:
  - id: shop
    match: { prefix: /shop, methods: [GET] }
    service: shop
    rateLimit: { limits: [{ limit: 3, periodMs: 3600000, by: subject }] }
    cache: { ttlMs: 60000 }
  - match: { path: /open }
    service: shop
    auth: false
`,
  });
  const app = Fastify({ forceCloseConnections: true });
  await app.register(gateway.plugin);
  const origin = await app.listen({ port: 0, host: '127.0.0.1' });
  cleanups.push(() => app.close());
  const ask = async (path: string, key?: string): Promise<Response> =>
    fetch(origin + path, { headers: key === undefined ? {} : { 'x-api-key': key } });

  for (let time = 0; time < 5; time++) expect((await ask('/shop')).status).toBe(401);
  expect((await ask('/shop', bob.key)).status).toBe(403);
  expect(shop.calls()).toBe(0);

  const first = await ask('/shop', ada.key);
  // Its key was for the gateway; the name of the program is not for clients.
  expect(await first.json()).toEqual({ call: 1, key: null });
  expect(first.headers.get('server')).toBeNull();
  expect(first.headers.get('ratelimit')).toContain('r=2');
  const second = await ask('/shop', ada.key);
  expect(await second.json()).toEqual({ call: 1, key: null });
  expect(second.headers.get('age')).not.toBeNull();
  await ask('/shop', ada.key);
  const fourth = await ask('/shop', ada.key);
  expect([fourth.status, fourth.headers.has('retry-after')]).toEqual([429, true]);
  expect(shop.calls()).toBe(1);
  expect((await ask('/open')).status).toBe(200);
});
