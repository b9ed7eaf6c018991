import { afterEach, describe, expect, test } from '@jest/globals';
import type { Socket } from 'node:net';
import { cleanUp, exchange, gateway, listenRaw, meshClient, ok, statusesOf } from '../testing/raw-http.ts';

afterEach(cleanUp);

/** A gateway before an instance that answers the n-th request on a connection with these bytes. */
async function gatewayBefore(respond: (socket: Socket, request: number) => void): Promise<number> {
  const { port } = await listenRaw((socket) => {
    let requests = 0;
    socket.on('data', () => {
      respond(socket, ++requests);
    });
  });
  const circuitBreaker = { maximumFailuresAllowed: 1000 };
  const client = meshClient({ 'user-service': port }, { circuitBreaker });
  return gateway({}, { client, routes: [{ prefix: '/users', service: 'user-service' }] });
}

const get = 'GET /users HTTP/1.1\r\nHost: a\r\n\r\n';
const evil = 'HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil';

describe('an answer with more than one reading is a 502, and its connection is not used again', () => {
  test.each([
    [
      'Content-Length and chunks',
      `HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n${evil}`,
    ],
    [
      'two Content-Length that differ',
      `HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 46\r\n\r\nok${evil}`,
    ],
    ['a Content-Length with a sign', `HTTP/1.1 200 OK\r\nContent-Length: +2\r\n\r\nok${evil}`],
    ['a folded line', `HTTP/1.1 200 OK\r\nX-A: b\r\n c\r\nContent-Length: 2\r\n\r\nok${evil}`],
    ['a bare LF', `HTTP/1.1 200 OK\nContent-Length: 2\n\nok${evil}`],
    ['a blank before the colon', `HTTP/1.1 200 OK\r\nContent-Length : 2\r\n\r\nok${evil}`],
    ['NUL in a value', `HTTP/1.1 200 OK\r\nX-A: b\0c\r\nContent-Length: 2\r\n\r\nok${evil}`],
    ['a status that is none', `HTTP/1.1 99 No\r\nContent-Length: 2\r\n\r\nok${evil}`],
    ['not HTTP', 'SSH-2.0-OpenSSH_9.2\r\n'],
    ['a head without end', `HTTP/1.1 200 OK\r\nX-A: ${'a'.repeat(70_000)}`],
  ])('%s', async (_, answer) => {
    const port = await gatewayBefore((socket) => socket.write(answer, 'latin1'));
    for (let request = 0; request < 3; request++) {
      const text = await exchange(port, get, { answers: 1, waitMs: 1500 });
      expect(statusesOf(text)).toEqual([502]);
      expect(text).not.toContain('evil');
    }
  });
});

describe('bytes that nobody asked for answer nobody (CVE-2026-6733, CVE-2026-48931)', () => {
  test.each([
    ['behind an answer', (socket: Socket) => socket.write(ok + evil)],
    [
      'on an idle connection',
      (socket: Socket) => {
        socket.write(ok);
        setTimeout(() => socket.write(evil), 20);
      },
    ],
    [
      'behind an answer without a body',
      (socket: Socket) => socket.write(`HTTP/1.1 204 No Content\r\n\r\n${evil}`),
    ],
    [
      'behind a 304',
      (socket: Socket) => socket.write(`HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n${evil}`),
    ],
  ])('%s', async (_, respond) => {
    const port = await gatewayBefore(respond);
    for (let request = 0; request < 5; request++) {
      const text = await exchange(port, get, { answers: 1 });
      expect(text).not.toContain('evil');
      await new Promise((resolve) => setTimeout(resolve, 30));
    }
  });
});

test('an answer to HEAD has no body, whatever the instance sends', async () => {
  const port = await gatewayBefore((socket) => socket.write(ok + evil));
  const text = await exchange(port, 'HEAD /users HTTP/1.1\r\nHost: a\r\n\r\n', { answers: 1 });
  expect(text).toMatch(/^HTTP\/1\.1 200 OK/);
  expect(text).not.toContain('evil');
  expect(text.split('\r\n\r\n')[1]).toBe('');
});

test('what an instance says of its hop ends here, and Alt-Svc leads nobody past the gateway', async () => {
  const port = await gatewayBefore((socket) =>
    socket.write(
      'HTTP/1.1 200 OK\r\nAlt-Svc: h3=":1"\r\nProxy-Authenticate: Basic\r\nKeep-Alive: timeout=9\r\nConnection: X-Hop\r\nX-Hop: 1\r\nContent-Length: 2\r\n\r\nok',
    ),
  );
  const text = await exchange(port, get, { answers: 1 });
  expect(text).toMatch(/^HTTP\/1\.1 200/);
  expect(text).not.toMatch(/^(alt-svc|proxy-authenticate|x-hop|keep-alive: timeout=9)/im);
});

test('a header with a line break cannot be made by an instance', async () => {
  const port = await gatewayBefore((socket) =>
    socket.write('HTTP/1.1 200 OK\r\nLocation: /a\rSet-Cookie: evil=1\r\nContent-Length: 2\r\n\r\nok'),
  );
  expect(await exchange(port, get, { answers: 1 })).not.toMatch(/\n\s*set-cookie: evil/i);
});

test('an answer that promises more than it sends does not look whole (a truncated download)', async () => {
  const port = await gatewayBefore((socket) => {
    socket.end('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf');
  });
  const text = await exchange(port, get, { answers: 2, waitMs: 1000 });
  expect(text).toMatch(/^HTTP\/1\.1 200/);
  expect(text).toContain('content-length: 10'.replace('content-length', 'Content-Length'));
  expect(text).not.toContain('0\r\n\r\n');
});
