/**
 * What a proxy does when it is not asked nicely: raw sockets on both sides, byte by byte. The research ran these 31 cases against thirteen
 * proxies; none passed all of them.
 */
import { afterEach, describe, expect, test } from '@jest/globals';
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import {
  answering,
  cleanUp,
  cleanups,
  client,
  exchange,
  gateway,
  get,
  linesOf,
  meshClient,
  ok,
  problemOf,
  eventually,
  upstream,
} from '../testing/raw-http.ts';

afterEach(cleanUp);

const plain = 'GET /api/a/x HTTP/1.1\r\nHost: h\r\n\r\n';
const bigBytes = 64 * 1024 * 1024;

async function gone(socket: Socket | undefined): Promise<void> {
  if (socket?.destroyed === false) await new Promise((resolve) => socket.once('close', resolve));
}

/** How many bytes have gone when no more go for a while. */
async function stalled(count: () => number): Promise<number> {
  let before = 0;
  for (let same = 0; same < 5;) {
    await new Promise((resolve) => setTimeout(resolve, 30));
    same = count() === before && before > 0 ? same + 1 : 0;
    before = count();
  }
  return before;
}

/** Writes until all is out, as fast as the other side lets it. */
function pour(socket: Socket, bytes: number): () => number {
  let sent = 0;
  const send = (): void => {
    while (sent < bytes) {
      sent += 65_536;
      if (!socket.write(Buffer.alloc(65_536, 'x'))) return;
    }
  };
  socket.on('drain', send);
  send();
  return () => sent;
}

/** An instance that answers the first request of a connection, and closes it when the second one comes. */
function stale() {
  const seen = new WeakSet<Socket>();
  return upstream((socket) => {
    if (seen.has(socket)) socket.destroy();
    else {
      seen.add(socket);
      socket.write(ok);
    }
  });
}

const hits = (received: string, method: string): number => received.split(`${method} /`).length - 1;

const probes: [name: string, probe: () => Promise<void>][] = [
  [
    'fields that Connection names go no further',
    async () => {
      const up = await answering(ok);
      const port = await gateway({ a: up.port });
      await exchange(
        port,
        get('/api/a/x', 'Connection: X-Gone, Authorization', 'X-Gone: 1', 'Authorization: b'),
      );
      expect(linesOf(up.received(), 'x-gone')).toEqual([]);
      expect(linesOf(up.received(), 'authorization')).toEqual(['Authorization: b']);
    },
  ],
  [
    'Proxy-Authorization, TE and the rest of the hop go no further',
    async () => {
      const up = await answering(ok);
      const port = await gateway({ a: up.port });
      const hop = [
        'Proxy-Authorization: p',
        'TE: gzip',
        'Keep-Alive: 1',
        'Proxy-Connection: x',
        'Trailer: y',
      ];
      await exchange(port, get('/api/a/x', ...hop));
      expect(up.received()).not.toMatch(/^(proxy-|te:|keep-alive:|trailer:)/im);
    },
  ],
  [
    'hop-by-hop fields of the instance go no further',
    async () => {
      const up = await answering(
        'HTTP/1.1 200 OK\r\nConnection: X-Gone\r\nX-Gone: 1\r\nKeep-Alive: timeout=99\r\nProxy-Authenticate: p\r\nUpgrade: h2c\r\nContent-Length: 0\r\n\r\n',
      );
      const port = await gateway({ a: up.port });
      expect(await exchange(port, get('/api/a/x'))).not.toMatch(/x-gone|timeout=99|proxy-auth|h2c/i);
    },
  ],
  [
    'a forged X-Forwarded-For is not passed on alone',
    async () => {
      const up = await answering(ok);
      const port = await gateway({ a: up.port });
      await exchange(port, get('/api/a/x', 'X-Forwarded-For: 6.6.6.6'));
      expect(linesOf(up.received(), 'x-forwarded-for')).toEqual(['x-forwarded-for: 127.0.0.1']);
    },
  ],
  [
    'request fields keep order, case and duplicates',
    async () => {
      const up = await answering(ok);
      const port = await gateway({ a: up.port });
      const fields = ['X-b: 1', 'ACCEPT: a', 'x-A: 2', 'X-B: 3', 'Accept: b', 'X-b: 1'];
      await exchange(port, get('/api/a/x', ...fields));
      const sent = up.received().split('\r\n');
      expect(sent.filter((line) => fields.includes(line))).toEqual(fields);
    },
  ],
  [
    'answer fields keep order, case and duplicates',
    async () => {
      const fields = ['X-b: 1', 'Set-Cookie: a=1, x', 'x-A: 2', 'set-cookie: b=%20', 'X-B: 3'];
      const up = await answering(['HTTP/1.1 200 OK', ...fields, 'Content-Length: 0', '', ''].join('\r\n'));
      const port = await gateway({ a: up.port });
      const got = (await exchange(port, get('/api/a/x'))).split('\r\n');
      expect(got.filter((line) => fields.includes(line))).toEqual(fields);
    },
  ],
  [
    'bytes above 0x7f in values pass both ways',
    async () => {
      const up = await answering(
        'HTTP/1.1 200 OK\r\nX-Name: Gr\xfc\xdfe \x80\xff\r\nContent-Length: 0\r\n\r\n',
      );
      const port = await gateway({ a: up.port });
      expect(await exchange(port, get('/api/a/x', 'X-City: K\xf6ln \x80\xff'))).toMatch(
        /^X-Name: Gr\xfc\xdfe \x80\xff\r$/m,
      );
      expect(up.received()).toMatch(/^X-City: K\xf6ln \x80\xff\r$/m);
    },
  ],
  [
    'a client that leaves before the head takes its request with it',
    async () => {
      const up = await upstream(() => undefined);
      const port = await gateway({ a: up.port });
      const { socket } = await client(port, plain);
      await eventually(() => up.received().includes('\r\n\r\n'));
      socket.destroy();
      await gone(up.connections[0]);
    },
  ],
  [
    'a client that leaves in the middle of the body takes its request with it',
    async () => {
      const up = await answering('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n12345');
      const port = await gateway({ a: up.port });
      const { socket, until } = await client(port, plain);
      await until(/12345$/);
      socket.destroy();
      await gone(up.connections[0]);
    },
  ],
  [
    'refused is 503: nothing was sent',
    async () => {
      const server = createServer().listen(0, '127.0.0.1');
      await once(server, 'listening');
      const { port: free } = server.address() as AddressInfo;
      await new Promise((resolve) => server.close(resolve));
      const port = await gateway({ a: free });
      expect(problemOf(await exchange(port, get('/api/a/x')))).toMatchObject({ status: 503 });
    },
  ],
  [
    'reset is 502: nobody knows',
    async () => {
      const up = await upstream((socket) => socket.resetAndDestroy());
      const port = await gateway({ a: up.port });
      expect(problemOf(await exchange(port, get('/api/a/x')))).toMatchObject({ status: 502 });
    },
  ],
  [
    'two lengths, or a length and chunks, are 502 and cost the connection',
    async () => {
      for (const framing of [
        'Content-Length: 2\r\ncontent-length: 3',
        'Content-Length: 2\r\nTransfer-Encoding: chunked',
      ]) {
        const up = await answering(`HTTP/1.1 200 OK\r\n${framing}\r\n\r\n2\r\nok\r\n0\r\n\r\n`);
        const port = await gateway({ a: up.port });
        expect(problemOf(await exchange(port, get('/api/a/x')))).toMatchObject({ status: 502 });
        await gone(up.connections[0]);
      }
    },
  ],
  [
    'a GET on a connection that has just been closed is saved',
    async () => {
      const up = await stale();
      const port = await gateway({}, { client: meshClient({ a: up.port }, { retry: { maxRetries: 1 } }) });
      for (let call = 0; call < 4; call++) expect(await exchange(port, get('/api/a/x'))).toMatch(/ok$/);
    },
  ],
  [
    'a POST on a connection that has just been closed is not sent twice',
    async () => {
      const up = await stale();
      const port = await gateway({}, { client: meshClient({ a: up.port }, { retry: { maxRetries: 1 } }) });
      const post = get('/api/a/x', 'Content-Length: 2').replace('GET', 'POST') + 'hi';
      expect(await exchange(port, post)).toMatch(/ok$/);
      expect(problemOf(await exchange(port, post))).toMatchObject({ status: 502 });
      expect(hits(up.received(), 'POST')).toBe(2);
    },
  ],
  [
    'a GET that gets 503 hits the instance no more often than the client may retry',
    async () => {
      const up = await answering('HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n');
      for (const maxRetries of [0, 1]) {
        const before = hits(up.received(), 'GET');
        const port = await gateway({}, { client: meshClient({ a: up.port }, { retry: { maxRetries } }) });
        expect(await exchange(port, get('/api/a/x'))).toMatch(/^HTTP\/1\.1 503 Busy/);
        expect(hits(up.received(), 'GET') - before).toBe(1 + maxRetries);
      }
    },
  ],
  [
    'a POST that gets 503 hits the instance once',
    async () => {
      const up = await answering('HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n');
      const port = await gateway({}, { client: meshClient({ a: up.port }, { retry: { maxRetries: 3 } }) });
      const post = get('/api/a/x', 'Content-Length: 2').replace('GET', 'POST') + 'hi';
      expect(await exchange(port, post)).toMatch(/^HTTP\/1\.1 503 Busy/);
      expect(hits(up.received(), 'POST')).toBe(1);
    },
  ],
  [
    'a body that is shorter than its length is seen by the client',
    async () => {
      const up = await answering('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n12345');
      const port = await gateway({ a: up.port });
      const { until, closed } = await client(port, plain);
      await until(/12345$/);
      up.connections[0]?.end();
      expect(await closed).toMatch(/12345$/);
    },
  ],
  [
    'a chunked body without its end is seen by the client',
    async () => {
      const up = await answering('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n12345\r\n');
      const port = await gateway({ a: up.port });
      const { until, closed } = await client(port, plain);
      await until(/12345/);
      up.connections[0]?.end();
      expect(await closed).not.toMatch(/\r\n0\r\n/);
    },
  ],
  [
    '304 keeps its Content-Length, and the connection its order',
    async () => {
      const up = await answering('HTTP/1.1 304 Not Modified\r\nContent-Length: 1000\r\nETag: "a"\r\n\r\n');
      const port = await gateway({ a: up.port });
      const { socket, until } = await client(port, plain);
      expect(linesOf(await until(/\r\n\r\n$/), 'content-length')).toEqual(['Content-Length: 1000']);
      socket.write(plain);
      await until(/^HTTP\/1\.1 304 [^]*\r\n\r\nHTTP\/1\.1 304 [^]*\r\n\r\n$/);
    },
  ],
  [
    'HEAD keeps its Content-Length, and the connection its order',
    async () => {
      const up = await answering('HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n');
      const port = await gateway({ a: up.port });
      const { socket, until } = await client(port, plain.replace('GET', 'HEAD'));
      expect(linesOf(await until(/\r\n\r\n$/), 'content-length')).toEqual(['Content-Length: 1000']);
      socket.write(plain.replace('GET', 'HEAD'));
      await until(/^HTTP\/1\.1 200 [^]*\r\n\r\nHTTP\/1\.1 200 [^]*\r\n\r\n$/);
    },
  ],
  [
    'trailers of the answer arrive',
    async () => {
      const up = await answering(
        'HTTP/1.1 200 OK\r\nTrailer: X-Sum\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX-Sum: \xfc1\r\nx-sum: 2\r\nSet-Cookie: no\r\n\r\n',
      );
      const port = await gateway({ a: up.port });
      const answer = await exchange(port, get('/api/a/x', 'TE: trailers'));
      expect(linesOf(answer, 'trailer')).toEqual(['Trailer: X-Sum']);
      expect(answer).toMatch(/\r\n2\r\nok\r\n0\r\nX-Sum: \xfc1\r\nx-sum: 2\r\n\r\n$/);
      expect(linesOf(up.received(), 'te')).toEqual(['te: trailers']);
    },
  ],
  [
    '103 arrives before the answer does',
    async () => {
      const hint = 'HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\nlink: </b>\r\n\r\n';
      const up = await answering(`HTTP/1.1 102 Wait\r\n\r\n${hint}`);
      const port = await gateway({ a: up.port });
      const { until } = await client(port, plain);
      expect(await until(/103[^]*\r\n\r\n$/)).toMatch(
        /^HTTP\/1\.1 102 [^\r]*\r\n\r\nHTTP\/1\.1 103 [^\r]*\r\nLink: <\/a\.css>; rel=preload\r\nlink: <\/b>\r\n\r\n$/,
      );
      up.connections[0]?.write(ok);
      await until(/\r\n\r\nHTTP\/1\.1 200 OK\r\n[^]*ok$/);
    },
  ],
  [
    'Expect: 100 comes when an instance is there to take the body, and not before a refusal',
    async () => {
      const up = await answering(ok);
      const port = await gateway({ a: up.port }, { bodyLimit: 10 });
      const expecting = (service: string, length: number) =>
        `POST /api/${service}/x HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: ${length}\r\n\r\n`;
      const { socket, until } = await client(port, expecting('a', 2));
      expect(await until(/\r\n\r\n$/)).toBe('HTTP/1.1 100 Continue\r\n\r\n');
      socket.write('hi');
      await until(/100 Continue\r\n\r\nHTTP\/1\.1 200 OK\r\n[^]*ok$/);
      expect(up.received()).toMatch(/^POST [^]*hi$/);
      expect(up.received()).not.toMatch(/expect/i);
      for (const [refused, status] of [
        [expecting('a', 11), 413],
        [expecting('none', 2), 404],
      ] as const) {
        const { closed } = await client(port, refused);
        expect(await closed).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
      }
    },
  ],
  [
    'the instance chooses the subprotocol of a WebSocket',
    async () => {
      const up = await answering(
        'HTTP/1.1 101 Go\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Protocol: p2\r\n\r\n',
      );
      const port = await gateway({ a: up.port });
      const { until } = await client(
        port,
        plain.replace(
          '\r\n\r\n',
          '\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Protocol: p1, p2\r\n\r\n',
        ),
      );
      expect(linesOf(await until(/\r\n\r\n/), 'sec-websocket-protocol')).toEqual([
        'Sec-WebSocket-Protocol: p2',
      ]);
      expect(linesOf(up.received(), 'sec-websocket-protocol')).toEqual(['Sec-WebSocket-Protocol: p1, p2']);
    },
  ],
  [
    'the bytes of a path arrive unchanged, or are refused',
    async () => {
      const up = await answering(ok);
      const port = await gateway({ a: up.port });
      for (const path of [
        '/x//y/',
        '/%7e/%E2%82%AC;v=1/:x/@',
        '/x?q=%2f..%5c//a?b&{}|"<>^`',
        '/...',
        '/x?',
      ]) {
        expect(await exchange(port, get(`/api/a${path}`))).toMatch(/ok$/);
        expect(up.received()).toContain(`GET ${path} HTTP/1.1\r\n`);
      }
      const before = up.received();
      for (const path of ['/\\evil', '//evil/', '/x/../y', '/x/%2e%2E/y', '/x%2fy', '/x%5cy', '/%00']) {
        expect(await exchange(port, get(`/api/a${path}`))).toMatch(/^HTTP\/1\.1 400 /);
      }
      expect(up.received()).toBe(before);
    },
  ],
  [
    'a head of 24 KiB arrives',
    async () => {
      const up = await answering(
        `HTTP/1.1 200 OK\r\nX: ${'x'.repeat(24 * 1024)}\r\nContent-Length: 2\r\n\r\nok`,
      );
      const port = await gateway({ a: up.port });
      expect(await exchange(port, get('/api/a/x'))).toMatch(/x{24576}\r\n[^]*ok$/);
    },
  ],
  [
    'the first event of a stream comes without the second',
    async () => {
      const up = await answering('HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n');
      const port = await gateway({ a: up.port });
      const { until } = await client(port, plain);
      await until(/\r\n\r\n$/);
      for (const event of ['one', 'two']) {
        up.connections[0]?.write(`data: ${event}\n\n`);
        await until(new RegExp(`data: ${event}\n\n`));
      }
    },
  ],
  [
    'a client that does not read holds the instance back',
    async () => {
      let sent = (): number => 0;
      const up = await upstream((socket) => {
        socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${bigBytes}\r\n\r\n`);
        sent = pour(socket, bigBytes);
      });
      const port = await gateway({ a: up.port });
      const socket = connect(port, '127.0.0.1').pause();
      cleanups.push(() => socket.destroy());
      socket.write(plain);
      expect(await stalled(() => sent())).toBeLessThan(bigBytes / 2);
    },
  ],
  [
    'an instance that does not read holds the client back',
    async () => {
      const server = createServer((socket) => {
        socket.pause();
        cleanups.push(() => socket.destroy());
      }).listen(0, '127.0.0.1');
      await once(server, 'listening');
      cleanups.push(() => server.close());
      const port = await gateway({ a: (server.address() as AddressInfo).port }, { bodyLimit: bigBytes });
      const { socket } = await client(
        port,
        `POST /api/a/x HTTP/1.1\r\nHost: h\r\nContent-Length: ${bigBytes}\r\n\r\n`,
      );
      expect(await stalled(pour(socket, bigBytes))).toBeLessThan(bigBytes / 2);
    },
  ],
  [
    'bytes that nobody asked for answer no request',
    async () => {
      const up = await answering(ok);
      const port = await gateway({ a: up.port });
      const { socket, until } = await client(port, plain);
      await until(/ok$/);
      up.connections[0]?.write('HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil');
      socket.write(plain);
      expect(await until(/ok[^]*(ok|evil)$/)).not.toContain('evil');
    },
  ],
  [
    'a request with a length and chunks, or two lengths, is 400 and reaches nobody',
    async () => {
      const up = await answering(ok);
      const port = await gateway({ a: up.port });
      for (const framing of [
        ['Content-Length: 5', 'Transfer-Encoding: chunked'],
        ['Transfer-Encoding: chunked', 'content-length: 5'],
        ['Content-Length: 5', 'content-length: 6'],
        ['Transfer-Encoding: gzip, chunked'],
        ['Transfer-Encoding: chunked, identity'],
        ['Transfer-Encoding: xchunked'],
      ]) {
        const { closed, socket } = await client(
          port,
          `${get('/api/a/x', ...framing).replace('GET', 'POST')}0\r\n\r\n`,
        );
        socket.end();
        expect(await closed).toMatch(/^HTTP\/1\.1 400 /);
      }
      expect(up.received()).toBe('');
    },
  ],
];

describe('the probes', () => {
  test('are 31', () => {
    expect(new Set(probes.map(([name]) => name)).size).toBe(31);
  });

  test.each(probes)('%s', async (_name, probe) => {
    await probe();
  });
});

/** What the HTTP client below cannot do; another transport may. */
describe('what instances are told and say beside the answer', () => {
  test('trailers of a request travel, but for those that route or frame it', async () => {
    const up = await answering(ok);
    const port = await gateway({ a: up.port });
    const chunked = get('/api/a/x', 'Transfer-Encoding: chunked', 'Trailer: X-Sum').replace('GET', 'POST');
    const trailers = 'X-Sum: 1\r\nHost: evil\r\nX-Forwarded-For: 1.1.1.1\r\n';
    expect(await exchange(port, `${chunked}2\r\nhi\r\n0\r\n${trailers}\r\n`)).toMatch(/ok$/);
    expect(up.received()).toMatch(/\r\n2\r\nhi\r\n0\r\nX-Sum: 1\r\n\r\n$/);
  });

  test('a 100 that nobody asked for is no answer and no harm', async () => {
    const up = await answering(`HTTP/1.1 100 Continue\r\n\r\n${ok}`);
    const port = await gateway({ a: up.port });
    const answer = await exchange(port, get('/api/a/x'));
    expect(answer).toMatch(/^HTTP\/1\.1 200 /);
    expect(answer).not.toContain('100 Continue');
  });
});
