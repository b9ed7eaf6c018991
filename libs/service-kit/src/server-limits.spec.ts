import { afterEach, describe, expect, test } from '@jest/globals';
import { once } from 'node:events';
import { connect, type AddressInfo, type Socket } from 'node:net';
import { z } from 'zod';
import { createApp, type App } from './app.ts';
import { readConfig, serviceSettings } from './config.ts';
import { identityOf } from './identity.ts';
import type { ServerLimits } from './server-limits.ts';

const config = readConfig(z.object(serviceSettings), { LOG_LEVEL: 'silent', BODY_LIMIT: '1000' });
const apps: App[] = [];
const sockets: Socket[] = [];

afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  for (const app of apps.splice(0)) await app.close();
});

async function listening(limits: ServerLimits): Promise<{ port: number; app: App }> {
  const app = createApp({ identity: identityOf('note-service', 4000), config, limits });
  apps.push(app);
  app.get('/notes', () => 'ok');
  app.post('/notes', () => 'taken');
  await app.listen({ port: 0, host: '127.0.0.1' });
  return { port: (app.server.address() as AddressInfo).port, app };
}

async function client(port: number): Promise<Socket> {
  const socket = connect(port, '127.0.0.1');
  sockets.push(socket);
  await once(socket, 'connect');
  return socket.on('error', () => undefined);
}

/** All that comes until the connection ends. */
async function untilEnd(socket: Socket): Promise<string> {
  let text = '';
  socket.on('data', (chunk) => (text += String(chunk)));
  await once(socket, 'close');
  return text;
}

const get = (more = ''): string => `GET /notes HTTP/1.1\r\nhost: a\r\n${more}\r\n`;

describe('slow clients', () => {
  test('slowloris: a head that comes byte by byte is answered with 408 and closed', async () => {
    const { port } = await listening({ headTimeoutMs: 200 });
    const socket = await client(port);
    socket.write('GET /notes HTTP/1.1\r\nhost: a\r\n');
    const drip = setInterval(() => socket.write('x: y\r\n'), 20);
    const answer = await untilEnd(socket);
    clearInterval(drip);
    expect(answer).toContain('HTTP/1.1 408 Request Timeout');
    expect(answer).toContain('"code":"ERR_REQUEST_TIMEOUT"');
  });

  test('connections on which nothing comes are not kept, however many they are', async () => {
    const { port, app } = await listening({ headTimeoutMs: 200 });
    const idle = await Promise.all(Array.from({ length: 200 }, () => client(port)));
    const other = await app.inject('/notes');
    expect(other.statusCode).toBe(200);
    await Promise.all(idle.map(untilEnd));
  });

  test('a body that does not come is answered with 408', async () => {
    const { port } = await listening({ headTimeoutMs: 200, requestTimeoutMs: 300 });
    const socket = await client(port);
    socket.write(
      'POST /notes HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{',
    );
    expect(await untilEnd(socket)).toContain('HTTP/1.1 408');
  });

  test('a connection is kept for the next request, and not for ever', async () => {
    const { port } = await listening({ keepAliveMs: 100 });
    const socket = await client(port);
    socket.write(get());
    expect(await untilEnd(socket)).toContain('HTTP/1.1 200');
  });
});

describe('large requests', () => {
  test.each([
    ['a head above the limit', get(`x: ${'y'.repeat(17_000)}\r\n`), 431, 'ERR_HEADERS_TOO_LARGE'],
    ['a field too many', get('x: y\r\n'.repeat(100)), 431, 'ERR_HEADERS_TOO_LARGE'],
    ['a long target', `GET /${'x'.repeat(8_192)} HTTP/1.1\r\nhost: a\r\n\r\n`, 414, 'ERR_URI_TOO_LONG'],
  ])('%s', async (_what, request, status, code) => {
    const { port } = await listening({ keepAliveMs: 100 });
    const socket = await client(port);
    socket.write(request);
    const answer = await untilEnd(socket);
    expect(answer).toContain(`HTTP/1.1 ${status} `);
    expect(answer).toContain(`"code":"${code}"`);
  });

  test('up to the limit they are served', async () => {
    const { port } = await listening({ keepAliveMs: 100 });
    const socket = await client(port);
    socket.write(get('x: y\r\n'.repeat(99)));
    expect(await untilEnd(socket)).toContain('HTTP/1.1 200');
  });
});

describe('many', () => {
  test('connections above the limit are closed at once, the others are served', async () => {
    const { port } = await listening({ maxConnections: 2, keepAliveMs: 100 });
    const [first, second] = [await client(port), await client(port)];
    const third = await client(port);
    expect(await untilEnd(third)).toBe('');
    for (const socket of [first, second]) socket.write(get());
    expect(await untilEnd(first)).toContain('HTTP/1.1 200');
  });

  test('requests on one connection above the limit: the last is told so, one more is refused', async () => {
    const { port } = await listening({ maxRequestsPerConnection: 2 });
    const socket = await client(port);
    const answers: string[] = [];
    for (let count = 0; count < 3; count++) {
      socket.write(get());
      const [data] = (await once(socket, 'data')) as [Buffer];
      answers.push(String(data));
    }
    expect(answers.map((answer) => /^HTTP\/1.1 (\d+)/.exec(answer)?.[1])).toEqual(['200', '200', '503']);
    expect(answers.map((answer) => /^connection: close/im.test(answer))).toEqual([false, true, true]);
  });

  test('a flood of pipelined requests whose answers nobody reads stops being read', async () => {
    const { port, app } = await listening({});
    let handled = 0;
    app.server.on('request', () => handled++);
    const socket = await client(port);
    const batch = get().repeat(500);
    socket.pause();
    // More and more, until what is written stays here and no more is handled there.
    let before = -1;
    for (let round = 0; round < 200 && (before !== handled || socket.writableLength === 0); round++) {
      before = handled;
      for (let count = 0; count < 50 && socket.writableLength < 1_000_000; count++) socket.write(batch);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    expect(handled).toBeGreaterThan(0);
    expect([before, socket.writableLength > 0]).toEqual([handled, true]);
    expect((await app.inject('/notes')).statusCode).toBe(200);
  });
});

test.each<[string, ServerLimits]>([
  ['headTimeoutMs', { headTimeoutMs: 0 }],
  ['requestTimeoutMs', { requestTimeoutMs: 5_000 }],
  ['keepAliveMs', { keepAliveMs: 1.5 }],
  ['maxHeaderFields', { maxHeaderFields: NaN }],
  ['maxConnections', { maxConnections: -1 }],
])('refuses a wrong %s by name', (name, limits) => {
  expect(() => createApp({ identity: identityOf('a', 1), config, limits })).toThrow(
    `serverLimits: ${name} must be`,
  );
});
