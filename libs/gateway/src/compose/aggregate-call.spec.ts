import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { createServiceClient } from '@mesh/service-client';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { aggregate } from './aggregate.ts';
import { part } from './part.ts';
import { Upstream } from './upstream.ts';

/** Answers the first request; later ones hang until the caller hangs up. */
let server: Server;
let asked = 0;
let ended = 0;

beforeAll(async () => {
  server = createServer((_request, response) => {
    if (++asked === 1) response.end('["jane"]');
    else response.once('close', () => ended++);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
});
afterAll(() => {
  server.closeAllConnections();
  server.close();
});

test('at the deadline of a part the call is taken back, and the last good answer counts', async () => {
  const { port } = server.address() as AddressInfo;
  const resolution = { instances: [{ id: 'users-1', host: '127.0.0.1', port }] };
  const discovery = { peek: () => resolution, resolve: () => Promise.resolve(resolution) };
  const client = createServiceClient({ discovery });
  const upstream = new Upstream({ service: 'users' });
  const users = part(({ signal }) =>
    upstream.read('all', () => client.json<string[]>({ service: 'users', path: '/', signal }), []),
  );
  const live = await aggregate({ users });
  expect([live.data.users.data, live.meta.degraded]).toEqual([['jane'], false]);
  const late = await aggregate({ users }, { timeoutMs: 100 });
  expect(late.data.users).toMatchObject({ data: ['jane'], source: 'stale-cache', reason: 'ERR_TIMEOUT' });
  expect(late.meta).toMatchObject({ degraded: true, parts: { users: { reason: 'ERR_TIMEOUT' } } });
  while (ended === 0) await new Promise((resolve) => setTimeout(resolve, 5));
  expect(asked).toBe(2);
  await client.close();
});
