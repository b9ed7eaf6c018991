import { afterEach, describe, expect, test } from '@jest/globals';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { WebSocket, WebSocketServer, type RawData } from 'ws';
import {
  answering,
  cleanUp,
  cleanups,
  client,
  gateway,
  linesOf,
  meshClient,
  ok,
  problemOf,
  turn,
  eventually,
  upstream,
} from '../testing/raw-http.ts';
import { accept, handshake, key, switching, tunnel } from '../testing/tunnel.ts';

afterEach(cleanUp);

/** An instance that speaks WebSocket: it echoes, and takes the last subprotocol that it is offered. */
async function echo(): Promise<number> {
  const server = new WebSocketServer({
    port: 0,
    host: '127.0.0.1',
    perMessageDeflate: true,
    handleProtocols: (offered) => [...offered].at(-1) ?? false,
  });
  await once(server, 'listening');
  server.on('connection', (socket) => {
    socket.on('message', (data: Buffer, isBinary) => {
      socket.send(data, { binary: isBinary });
    });
  });
  cleanups.push(() => {
    for (const socket of server.clients) socket.terminate();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

async function open(url: string, ...more: [string[]?, WebSocket.ClientOptions?]): Promise<WebSocket> {
  const socket = new WebSocket(url, ...(more as [string[], WebSocket.ClientOptions]));
  cleanups.push(() => {
    socket.terminate();
  });
  await once(socket, 'open');
  return socket;
}

async function nextMessage(socket: WebSocket): Promise<string> {
  const [data] = (await once(socket, 'message')) as [RawData];
  return (data as Buffer).toString();
}

describe('a WebSocket', () => {
  test('talks to an instance, and the instance chooses subprotocol and extensions', async () => {
    const port = await gateway({ a: await echo() });
    const socket = await open(`ws://127.0.0.1:${port}/api/a/chat?x=1`, ['p1', 'p2', 'p3']);
    expect(socket.protocol).toBe('p3');
    expect(socket.extensions).toBe('permessage-deflate');
    for (const text of ['hello', 'x'.repeat(1_000_000), '']) {
      socket.send(text);
      expect(await nextMessage(socket)).toBe(text);
    }
    socket.close(4001, 'enough');
    expect(await once(socket, 'close')).toEqual([4001, Buffer.from('enough')]);
  });

  test('the handshake goes through as it came, with what every request gets', async () => {
    const up = await upstream((socket) => socket.write(switching));
    const port = await gateway({ a: up.port });
    const { until } = await client(
      port,
      handshake(
        '/api/a/chat?room=%2f',
        'Origin: http://shop.example',
        'Sec-WebSocket-Protocol: b, a',
        'sec-websocket-protocol: c',
        'Sec-WebSocket-Extensions: x; y=1',
        'Cookie: s=1',
        'X-Forwarded-For: 6.6.6.6',
      ),
    );
    const answer = await until(/\r\n\r\n/);
    const head = up.received();
    expect(head).toMatch(
      /^GET \/chat\?room=%2f HTTP\/1\.1\r\nhost: shop\.example\r\nconnection: upgrade\r\nupgrade: websocket\r\n/,
    );
    expect(linesOf(head, 'sec-websocket-protocol')).toEqual([
      'Sec-WebSocket-Protocol: b, a',
      'sec-websocket-protocol: c',
    ]);
    expect(linesOf(head, 'sec-websocket-extensions')).toEqual(['Sec-WebSocket-Extensions: x; y=1']);
    expect(linesOf(head, 'sec-websocket-key')).toEqual([`Sec-WebSocket-Key: ${key}`]);
    expect(linesOf(head, 'cookie')).toEqual(['Cookie: s=1']);
    expect(linesOf(head, 'origin')).toEqual(['Origin: http://shop.example']);
    expect(linesOf(head, 'x-forwarded-for')).toEqual(['x-forwarded-for: 127.0.0.1']);
    expect(linesOf(head, 'traceparent')).toHaveLength(1);
    expect(answer).toMatch(
      /^HTTP\/1\.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n/,
    );
    expect(linesOf(answer, 'sec-websocket-accept')).toEqual([`Sec-WebSocket-Accept: ${accept}`]);
    expect(linesOf(answer, 'x-instance')).toEqual(['x-instance: a-1']);
  });

  test('bytes go both ways untouched, also those that were sent ahead', async () => {
    const up = await upstream((socket) => socket.write(`${switching}\x81\x02up`, 'latin1'));
    const port = await gateway({ a: up.port });
    const { socket, until } = await client(port, `${handshake('/api/a/chat')}\x81\x05ahead`);
    await until(/\x81\x02up$/);
    socket.write('\x00\xff\xfe', 'latin1');
    await eventually(() => up.received().endsWith('\x81\x05ahead\x00\xff\xfe'));
  });

  test('each side may stop talking and still listen', async () => {
    const { near, far } = await tunnel();
    near.socket.allowHalfOpen = true;
    near.socket.end('bye');
    await once(far, 'end');
    far.end('the last word');
    expect(await near.closed).toMatch(/the last word$/);
  });

  test('the instance may stop first', async () => {
    const { near, far, up } = await tunnel();
    near.socket.allowHalfOpen = true;
    far.end('bye');
    await once(near.socket, 'end');
    near.socket.end('the last word');
    if (!far.destroyed) await once(far, 'close');
    expect(up.received()).toMatch(/the last word$/);
  });

  test.each(['near', 'far'] as const)('a reset of the %s side ends the other', async (side) => {
    const { near, far, mesh } = await tunnel();
    expect(mesh.getSnapshot().services['a']!.instances[0]).toMatchObject({ inflight: 1 });
    const [one, other] = side === 'near' ? [near.socket, far] : [far, near.socket];
    const errors: unknown[] = [];
    other.on('error', (error: { code?: string }) => errors.push(error.code));
    one.resetAndDestroy();
    await new Promise((resolve) => other.once('close', resolve));
    expect(errors).toEqual(['ECONNRESET']);
    await eventually(() => mesh.getSnapshot().services['a']!.instances[0]!.inflight === 0);
  });

  test('who does not read holds the other back', async () => {
    const { near, far } = await tunnel();
    near.socket.pause();
    const chunk = Buffer.alloc(1_048_576, 'x');
    let written = 0;
    for (let idle = 0; idle < 20 && written < 200;) {
      if (far.write(chunk)) idle = 0;
      else idle++;
      written++;
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
    expect(far.writableLength).toBeGreaterThan(1_048_576);
    let received = 0;
    near.socket.on('data', (part) => (received += part.length));
    near.socket.resume();
    await eventually(() => received >= written * chunk.length);
  });

  test('a client that leaves before the answer takes its handshake with it', async () => {
    const up = await upstream(() => undefined);
    const port = await gateway({ a: up.port });
    const { socket } = await client(port, handshake('/api/a/chat'));
    await eventually(() => up.received().includes('\r\n\r\n'));
    socket.destroy();
    if (!up.connections[0]!.destroyed) await once(up.connections[0]!, 'close');
  });
});

describe('is refused', () => {
  test('by the instance, in its own words', async () => {
    const up = await answering('HTTP/1.1 403 No\r\nContent-Length: 4\r\nX-Why: a\r\n\r\nnope');
    const port = await gateway({ a: up.port });
    const answer = await (await client(port, handshake('/api/a/chat'))).closed;
    expect(answer).toMatch(/^HTTP\/1\.1 403 No\r\n[^]*X-Why: a\r\n[^]*\r\n\r\nnope$/);
  });

  test('when there is no instance, as every request is', async () => {
    const port = await gateway({}, { routes: [{ prefix: '/b', service: 'b' }] });
    expect(problemOf(await (await client(port, handshake('/b'))).closed)).toMatchObject({
      status: 503,
      code: 'ERR_NO_INSTANCE',
    });
  });

  test('when the instance does not answer in time', async () => {
    const up = await upstream(() => undefined);
    const port = await gateway({}, { client: meshClient({ a: up.port }, { attemptTimeoutMs: 20 }) });
    const answer = await (await client(port, handshake('/api/a/chat'))).closed;
    expect(problemOf(answer)).toMatchObject({ status: 504 });
  });

  test.each([
    ['http://evil.example', 403],
    ['http://shop.example.evil', 403],
    ['http://evil/shop.example', 403],
    ['null', 403],
    ['', 403],
    ['http://shop.example', 101],
    ['https://SHOP.example:443', 101],
    ['https://friend.example', 101],
    ['https://friend.example:444', 403],
  ])('from the page %j: %d', async (origin, status) => {
    const up = await upstream((socket) => socket.write(switching));
    const port = await gateway({ a: up.port }, { websocket: { origins: ['https://friend.example'] } });
    const { until } = await client(port, handshake('/api/a/chat', `Origin: ${origin}`));
    expect(await until(/\r\n\r\n/)).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
    expect(up.connections).toHaveLength(status === 101 ? 1 : 0);
  });

  test('where a route carries none', async () => {
    const up = await answering(switching);
    const port = await gateway({ a: up.port }, { websocket: false });
    expect(problemOf(await (await client(port, handshake('/api/a/chat'))).closed)).toMatchObject({
      status: 400,
    });
    expect(up.connections).toHaveLength(0);
  });

  test('when there are too many; when one ends there is room again', async () => {
    const { near, far, port } = await tunnel({ maxTunnels: 1 });
    const second = await (await client(port, handshake('/api/a/chat'))).closed;
    expect(problemOf(second)).toEqual({ status: 503, code: 'ERR_UNAVAILABLE', retryAfter: '1' });
    far.on('end', () => far.end());
    near.socket.destroy();
    if (!far.destroyed) await once(far, 'close');
    await turn();
    const third = await client(port, handshake('/api/a/chat'));
    expect(await third.until(/\r\n\r\n/)).toMatch(/^HTTP\/1\.1 101 /);
  });
});

describe('beside others', () => {
  test('upgrades of other routes go to who else listens, those of its own do not', async () => {
    const seen: (string | undefined)[] = [];
    const port = await gateway({ a: await echo() }, {}, (app) => {
      app.server.on('upgrade', (request, socket) => {
        seen.push(request.url);
        socket.end('HTTP/1.1 418 Mine\r\n\r\n');
      });
    });
    const other = await client(port, handshake('/elsewhere'));
    expect(await other.closed).toMatch(/^HTTP\/1\.1 418 Mine/);
    const socket = await open(`ws://127.0.0.1:${port}/api/a/chat`);
    socket.send('hi');
    expect(await nextMessage(socket)).toBe('hi');
    expect(seen).toEqual(['/elsewhere']);
  });

  test('any other upgrade is an ordinary request, body, keep-alive and all', async () => {
    const up = await upstream((socket, head) => {
      socket.write(head.startsWith('POST') ? 'HTTP/1.1 201 Made\r\nContent-Length: 0\r\n\r\n' : ok);
    });
    const port = await gateway({ a: up.port });
    const h2c =
      'Host: h\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n';
    const { socket, until } = await client(
      port,
      `POST /api/a/x HTTP/1.1\r\n${h2c}Content-Length: 5\r\n\r\nhello`,
    );
    await until(/^HTTP\/1\.1 201 Made\r\n[^]*\r\n\r\n$/);
    expect(up.received()).toMatch(/^POST \/x HTTP\/1\.1\r\n[^]*hello$/);
    expect(up.received()).not.toMatch(/h2c|http2-settings/i);
    socket.write(`GET /api/a/y HTTP/1.1\r\n${h2c}\r\n`);
    await until(/200 OK[^]*ok$/);
  });

  test('so it is on a Node that asks nobody before it upgrades', async () => {
    const up = await answering(ok);
    const servers: object[] = [];
    const port = await gateway({ a: up.port }, {}, (app) => servers.push(app.server));
    for (const server of servers) Object.assign(server, { shouldUpgradeCallback: () => true });
    const { socket, until } = await client(
      port,
      'GET /api/a/x HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n',
    );
    await until(/200 OK[^]*ok$/);
    socket.write('GET /api/a/y HTTP/1.1\r\nHost: h\r\n\r\n');
    await until(/200 OK[^]*ok[^]*200 OK[^]*ok$/);
  });
});
