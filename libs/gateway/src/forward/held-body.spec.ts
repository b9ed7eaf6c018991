import { afterEach, expect, test } from '@jest/globals';
import { createServiceClient } from '@mesh/service-client';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import {
  answering,
  cleanUp,
  cleanups,
  client,
  eventually,
  gateway,
  ok,
  upstream,
} from '../testing/raw-http.ts';
import { HeldBody } from './held-body.ts';
import { Watch, type WatchTimers } from './watch.ts';

afterEach(cleanUp);

const post = (length: number, body: string): string =>
  `POST /api/a/x HTTP/1.1\r\nHost: h\r\nContent-Length: ${length}\r\n\r\n${body}`;

test('comes to the instance whole and once, in however many pieces it came', async () => {
  const up = await answering(ok);
  const { socket, until } = await client(await gateway({ a: up.port }), post(6, 'ab'));
  socket.write('cd');
  expect(up.received()).toBe('');
  socket.write('ef');
  await until(/ok$/);
  expect(up.received().split('\r\n\r\n')[1]).toBe('abcdef');
  expect(up.received()).toMatch(/^content-length: 6\r$/im);
});

test('of a client that leaves before its end reaches nobody', async () => {
  const up = await answering(ok);
  const port = await gateway({ a: up.port });
  const { socket, closed } = await client(port, post(6, 'abc'));
  socket.destroy();
  await closed;
  // Another one after it: what the first one began would have come before.
  await (await client(port, post(1, 'z'))).until(/ok$/);
  expect(up.connections).toHaveLength(1);
  expect(up.received().split('\r\n\r\n')[1]).toBe('z');
});

test('leaves the connection of use, also when two requests come at once', async () => {
  const up = await answering(ok);
  const { until } = await client(await gateway({ a: up.port }), post(1, 'a') + post(1, 'b'));
  await until(/ok[^]*ok$/);
  await eventually(() => (up.received().match(/POST/g) ?? []).length === 2);
});

test('is sent again to another instance when the method may be repeated', async () => {
  const bad = await upstream((socket) => socket.write('HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n'));
  const good = await answering(ok);
  const instances = [bad, good].map(({ port }, at) => ({ id: `a-${at}`, host: '127.0.0.1', port }));
  const two = createServiceClient({
    discovery: { peek: () => ({ instances }), resolve: () => Promise.resolve({ instances }) },
    strategy: 'round-robin',
    retry: { maxRetries: 1, baseDelayMs: 0 },
  });
  cleanups.push(() => two.close(0));
  const port = await gateway({}, { client: two });
  for (let request = 0; request < 4; request++) {
    const { until } = await client(port, post(3, 'abc').replace('POST', 'PUT'));
    await until(/200 OK[^]*ok$/);
  }
  expect(bad.received()).toContain('\r\n\r\nabc');
  expect((good.received().match(/\r\n\r\nabc/g) ?? []).length).toBe(4);
});

test('that comes too slowly is a fault, told once, and nothing is sent', async () => {
  let now = 0;
  let round = (): void => undefined;
  const timers: WatchTimers = {
    setInterval: (callback) => {
      round = callback;
      return {};
    },
    clearInterval: () => undefined,
  };
  const watch = new Watch({ clock: { now: () => now }, timers });
  const seen: string[] = [];
  const server = createServer((request) => {
    new HeldBody(
      request,
      { pace: { minBytesPerSecond: 256, graceMs: 5_000, idleMs: 15_000 }, watch },
      {
        send: () => {
          seen.push('sent');
          return { abort: () => undefined, resume: () => undefined };
        },
        fail: ({ code }) => seen.push(code),
        notes: undefined,
      },
    );
    seen.push('began');
  });
  server.listen(0, '127.0.0.1');
  cleanups.push(() => {
    server.closeAllConnections();
    server.close();
  });
  await eventually(() => server.listening);
  const { socket } = await client((server.address() as AddressInfo).port, post(5_000, 'a'));
  await eventually(() => seen.length > 0);
  now = 4_000;
  round();
  expect(seen).toEqual(['began']);
  now = 6_000;
  round();
  now = 9_000;
  round();
  socket.write('b'.repeat(4_999));
  await eventually(() => socket.bytesWritten > 5_000);
  expect(seen).toEqual(['began', 'ERR_REQUEST_TIMEOUT']);
});
