import { afterEach, describe, expect, test } from '@jest/globals';
import { createServiceClient, type Resolution } from '@mesh/service-client';
import Fastify from 'fastify';
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { proxyRoutes } from './proxy.ts';
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
  upstream,
  type Client,
  type Upstream,
} from './testing/raw-http.ts';

afterEach(cleanUp);

describe('headers', () => {
  test('hop-by-hop fields and those that Connection names end at the gateway', async () => {
    const up = await answering(ok);
    const port = await gateway({ a: up.port });
    await exchange(
      port,
      'GET /api/a/ HTTP/1.1\r\nHost: h\r\nConnection: close, X-Secret, Host, Authorization, X-Forwarded-For\r\n' +
        'X-Secret: s\r\nAuthorization: Bearer t\r\nProxy-Authorization: p\r\nTE: trailers\r\nTrailer: x\r\n' +
        'Keep-Alive: timeout=9\r\nProxy-Connection: keep-alive\r\nHTTP2-Settings: AAA\r\nExpect: 100-continue\r\nX-Kept: k\r\n\r\n',
    );
    const head = up.received();
    expect(head).not.toMatch(/^(x-secret|proxy-|trailer|keep-alive|http2|expect)/im);
    // Who reads trailers may say so to the instance as well; nothing else of TE goes on.
    expect(linesOf(head, 'te')).toEqual(['te: trailers']);
    expect(head).toMatch(/^Authorization: Bearer t\r$/m);
    expect(head).toMatch(/^X-Kept: k\r$/m);
    expect(head).toMatch(/^x-forwarded-for: 127\.0\.0\.1\r$/m);
    expect(head.match(/^host: /gim)).toHaveLength(1);
    expect(head).toMatch(/^host: h\r$/im);
  });

  test('hop-by-hop fields of the upstream end at the gateway, the rest comes in order with its duplicates', async () => {
    const up = await answering(
      'HTTP/1.1 200 Fine\r\nX-b: 1\r\nSet-Cookie: a=1\r\nx-A: 2\r\nSet-Cookie: b=%20; Path=/\r\nX-b: 3\r\nConnection: X-Gone, Set-Cookie\r\n' +
        'X-Gone: 1\r\nProxy-Authenticate: Basic\r\nAlt-Svc: h3=":443"\r\nUpgrade: h2c\r\nTrailer: x\r\nContent-Length: 2\r\n\r\nok',
    );
    const port = await gateway({ a: up.port });
    const answer = await exchange(port, get('/api/a/'));
    expect(answer).toMatch(
      /^HTTP\/1\.1 200 Fine\r\nX-b: 1\r\nSet-Cookie: a=1\r\nx-A: 2\r\nSet-Cookie: b=%20; Path=\/\r\nX-b: 3\r\nContent-Length: 2\r\n/,
    );
    expect(answer).not.toMatch(/^(x-gone|proxy-authenticate|alt-svc|upgrade|trailer)/im);
    expect(answer).toMatch(/\r\n\r\nok$/);
  });

  test('a hundred Set-Cookie lines stay a hundred lines', async () => {
    const cookies = Array.from({ length: 100 }, (_, at) => `Set-Cookie: c${at}=${at}, x`);
    const up = await answering(['HTTP/1.1 200 OK', ...cookies, 'Content-Length: 0', '', ''].join('\r\n'));
    const port = await gateway({ a: up.port });
    const lines = (await exchange(port, get('/api/a/'))).split('\r\n');
    expect(lines.filter((line) => line.startsWith('Set-Cookie'))).toEqual(cookies);
  });

  test('bytes above 0x7f in values pass both ways', async () => {
    const up = await answering('HTTP/1.1 200 OK\r\nX-Name: Gr\xfc\xdfe \xff\r\nContent-Length: 0\r\n\r\n');
    const port = await gateway({ a: up.port });
    const answer = await exchange(port, get('/api/a/', 'X-City: K\xf6ln'));
    expect(up.received()).toMatch(/^X-City: K\xf6ln\r$/m);
    expect(answer).toMatch(/^X-Name: Gr\xfc\xdfe \xff\r$/m);
  });

  test('what a client claims about itself is replaced by what the gateway sees', async () => {
    const up = await answering(ok);
    const port = await gateway({ a: up.port });
    const forged = [
      'X-Forwarded-For: 6.6.6.6',
      'X-FORWARDED-HOST: evil',
      'X-Forwarded-Proto: https',
      'Forwarded: for=6',
    ];
    const more = ['X-Real-IP: 6.6.6.6', 'x_forwarded_for: 6.6.6.6', 'X-Mesh-User: root', 'X-Instance: me'];
    await exchange(port, get('/api/a/', ...forged, ...more));
    const head = up.received();
    expect(head).not.toMatch(/6\.6\.6\.6|evil|for=6|root|: me\r/);
    expect(linesOf(head, 'x-forwarded-for')).toEqual(['x-forwarded-for: 127.0.0.1']);
    expect(linesOf(head, 'x-forwarded-proto')).toEqual(['x-forwarded-proto: http']);
    expect(linesOf(head, 'x-forwarded-host')).toEqual(['x-forwarded-host: shop.example']);
  });

  test('headers of the gateway itself come too, the upstream wins, and CORS is the gateway’s', async () => {
    const up = await answering(
      'HTTP/1.1 200 OK\r\nX-Frame-Options: DENY\r\nAccess-Control-Allow-Origin: *\r\nVary: Accept\r\nX-Instance: a-1\r\nContent-Length: 0\r\n\r\n',
    );
    const port = await gateway({ a: up.port }, {}, (app) => {
      app.addHook('onRequest', (_request, reply, done) => {
        reply.headers({ 'x-frame-options': 'SAMEORIGIN', 'x-request-id': 'r1', 'x-instance': 'gateway' });
        reply.headers({ vary: 'Origin', 'access-control-allow-origin': 'https://page' });
        done();
      });
    });
    const head = await exchange(port, get('/api/a/'));
    expect(linesOf(head, 'x-frame-options')).toEqual(['X-Frame-Options: DENY']);
    expect(linesOf(head, 'x-instance')).toEqual(['X-Instance: a-1']);
    expect(linesOf(head, 'access-control-allow-origin')).toEqual([
      'access-control-allow-origin: https://page',
    ]);
    expect(linesOf(head, 'vary')).toEqual(['Vary: Accept', 'vary: Origin']);
    expect(head).toMatch(/^x-request-id: r1\r$/m);
  });

  test('the instance that answered is named even when it does not say so', async () => {
    const up = await answering(ok);
    const port = await gateway({ a: up.port });
    expect(linesOf(await exchange(port, get('/api/a/')), 'x-instance')).toEqual(['x-instance: a-1']);
  });

  test('the trace of the client goes on, with a span of the gateway in between', async () => {
    const up = await answering(ok);
    const port = await gateway({ a: up.port });
    const traceId = '4bf92f3577b34da6a3ce929d0e0e4736';
    const given = [
      `traceparent: 00-${traceId}-00f067aa0ba902b7-01`,
      'X-Request-ID: r-7',
      'X-Span-ID: 1111111111111111',
    ];
    await exchange(port, get('/api/a/', ...given));
    const [traceparent = ''] = linesOf(up.received(), 'traceparent');
    expect(traceparent).toMatch(new RegExp(`^traceparent: 00-${traceId}-[0-9a-f]{16}-01$`));
    expect(traceparent).not.toContain('00f067aa0ba902b7');
    expect(linesOf(up.received(), 'x-request-id')).toEqual(['x-request-id: r-7']);
    expect(linesOf(up.received(), 'x-span-id')).toHaveLength(1);
    expect(up.received()).not.toContain('1111111111111111');
  });

  test('a path that leads through the gateway again and again ends there, soon', async () => {
    const ports: Record<string, number> = {};
    let requests = 0;
    const port = await gateway({}, { client: meshClient(ports) }, (app) => {
      app.addHook('onRequest', (_request, _reply, done) => {
        requests++;
        done();
      });
    });
    ports.me = port;
    expect(await exchange(port, get('/api/me'.repeat(500)))).toMatch(/^HTTP\/1\.1 508 [^]*"ERR_LOOP"/);
    expect(requests).toBe(3);
  });

  test('a second Host is refused', async () => {
    const up = await answering(ok);
    const port = await gateway({ a: up.port });
    const answer = await exchange(port, get('/api/a/', 'Host: other'));
    expect(answer).toMatch(/^HTTP\/1\.1 400 /);
    expect(up.received()).toBe('');
  });

  test('prototype keys are plain names', async () => {
    const up = await answering(
      'HTTP/1.1 200 OK\r\n__proto__: x\r\nconstructor: y\r\nContent-Length: 0\r\n\r\n',
    );
    const port = await gateway({ a: up.port });
    const answer = await exchange(port, get('/api/a/?__proto__[x]=1', '__proto__: 1', 'toString: 2'));
    // A name with "_" is dropped: some servers read it as one with "-".
    expect(up.received()).not.toContain('__proto__: 1');
    expect(up.received()).toMatch(/toString: 2\r\n/);
    expect(answer).toMatch(/__proto__: x\r\nconstructor: y\r\n/);
    expect(problemOf(await exchange(port, get('/api/__proto__/x')))).toMatchObject({ status: 404 });
    expect(problemOf(await exchange(port, get('/api/constructor/x')))).toMatchObject({ status: 404 });
  });
});

describe('paths', () => {
  test.each([
    ['/api/a', '/'],
    ['/api/a/', '/'],
    ['/api/a?x=1', '/?x=1'],
    ['/api/a/x%41', '/x%41'],
    ['/api/a/x//y/', '/x//y/'],
    ["/api/a/%7Eme/%e2%82%ac;v=1/a%20b/:x/@!$&'()*+,=", "/%7Eme/%e2%82%ac;v=1/a%20b/:x/@!$&'()*+,="],
    ['/api/a/x?q=%2f..%5c//a?b=%zz&{}|"<>^`', '/x?q=%2f..%5c//a?b=%zz&{}|"<>^`'],
    ['/api/a/...', '/...'],
    ['/api/a/%252e%252e/x', '/%252e%252e/x'],
  ])('%s reaches the instance as %s', async (path, seen) => {
    const up = await answering(ok);
    const port = await gateway({ a: up.port });
    expect(await exchange(port, get(path))).toMatch(/^HTTP\/1\.1 200 /);
    expect(up.received().split('\r\n')[0]).toBe(`GET ${seen} HTTP/1.1`);
  });

  test.each([
    '/api/a/../b',
    '/api/a/..',
    '/api/../api/a',
    '/api/a/%2e%2e/b',
    '/api/a/.%2E/b',
    '/api/a/./b',
    '/api/a/..;/b',
    '/api/a/x%2fy',
    '/api/a/x%2Fy',
    '/api/a%2fb',
    '/api/a/x%5cy',
    '/api/a/x%5Cy',
    '/api/a/x\\y',
    '/api/a\\x',
    '/api/a/%00',
    '/api/a//evil.example/x',
    '/api/a/x#y',
  ])('%s is refused', async (path) => {
    const up = await answering(ok);
    const port = await gateway({ a: up.port });
    expect(problemOf(await exchange(port, get(path)))).toMatchObject({
      status: 400,
      code: 'ERR_BAD_REQUEST',
    });
    expect(up.connections).toHaveLength(0);
  });

  test.each([
    '//evil/api/a',
    '//api/a',
    'http://other/api/a',
    '*',
    '/api/a/%zz',
    '/api/a/%',
    '/api',
    '/apis/a',
  ])('%s is no route of the proxy', async (path) => {
    const up = await answering(ok);
    const port = await gateway({ a: up.port });
    expect(await exchange(port, get(path))).toMatch(/^HTTP\/1\.1 40[04] /);
    expect(up.connections).toHaveLength(0);
  });

  test.each([
    'localhost',
    '127.0.0.1',
    '2130706433',
    '0x7f000001',
    '0',
    'a:80',
    'a@b',
    'A',
    'a.b',
    '-a',
    'a_b',
    '[::1]',
  ])('the name %s leads nowhere', async (name) => {
    const up = await answering(ok);
    const known = Object.fromEntries([name, '127.0.0.1', 'localhost', 'b'].map((key) => [key, up.port]));
    const port = await gateway(known);
    expect(problemOf(await exchange(port, get(`/api/${name}/x`)))).toMatchObject({
      status: 404,
      code: 'ERR_SERVICE_UNKNOWN',
    });
    expect(up.connections).toHaveLength(0);
  });

  test('the longest prefix wins, and rewrites', async () => {
    const [shop, admin, dynamic] = await Promise.all([answering(ok), answering(ok), answering(ok)]);
    const routes = [
      { prefix: '/shop', service: 'shop' },
      { prefix: '/shop/admin', service: 'admin', rewrite: '/internal' },
      { prefix: '/api/short', service: 'admin', rewrite: '/' },
    ];
    const port = await gateway({ shop: shop.port, admin: admin.port, short: dynamic.port }, { routes });
    for (const path of [
      '/shop/x?y',
      '/shop/admin/x',
      '/shop/administrator',
      '/api/short/z',
      '/api/short',
      '/shop',
    ]) {
      expect(await exchange(port, get(path))).toMatch(/^HTTP\/1\.1 200 /);
    }
    const paths = (up: Upstream): string[] =>
      [...up.received().matchAll(/^GET (\S+) /gm)].map(([, path = '']) => path);
    expect(paths(shop)).toEqual(['/shop/x?y', '/shop/administrator', '/shop']);
    expect(paths(admin)).toEqual(['/internal/x', '/z', '/']);
    expect(dynamic.connections).toHaveLength(0);
    expect(await exchange(port, get('/shopping'))).toMatch(/^HTTP\/1\.1 404 /);
  });

  test('a prefix of the plugin itself counts', async () => {
    const up = await answering(ok);
    const app = Fastify({ forceCloseConnections: true });
    cleanups.push(() => app.close());
    await app.register(proxyRoutes, {
      prefix: '/v1',
      client: meshClient({ a: up.port }),
      dynamicPrefix: '/api',
    });
    await app.listen({ port: 0, host: '127.0.0.1' });
    await exchange((app.server.address() as AddressInfo).port, get('/v1/api/a/x'));
    expect(up.received()).toMatch(/^GET \/x HTTP/);
  });
});

describe('failures', () => {
  test('an unknown name out of the URL is 404, one that had an instance or is configured is 503', async () => {
    const up = await answering(ok);
    const ports: Record<string, number> = { a: up.port };
    const port = await gateway(ports, { routes: [{ prefix: '/b', service: 'b' }] });
    expect(problemOf(await exchange(port, get('/api/none/x')))).toEqual({
      status: 404,
      code: 'ERR_SERVICE_UNKNOWN',
      retryAfter: undefined,
    });
    await exchange(port, get('/api/a/x'));
    delete ports['a'];
    for (const path of ['/api/a/x', '/b']) {
      expect(problemOf(await exchange(port, get(path)))).toEqual({
        status: 503,
        code: 'ERR_NO_INSTANCE',
        retryAfter: '1',
      });
    }
  });

  test('nobody listens: 503, because the request was not sent', async () => {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port: free } = server.address() as AddressInfo;
    server.close();
    await once(server, 'close');
    const port = await gateway({ a: free });
    const answer = await exchange(port, get('/api/a/x'));
    expect(problemOf(answer)).toEqual({ status: 503, code: 'ERR_UNAVAILABLE', retryAfter: '1' });
    expect(answer).not.toContain(String(free));
  });

  test.each([
    ['a reset', (socket: Socket) => socket.resetAndDestroy()],
    ['an end', (socket: Socket) => socket.end()],
    ['an answer that is not HTTP', (socket: Socket) => socket.end('SSH-2.0-x\r\n\r\n')],
    ['half a head', (socket: Socket) => socket.end('HTTP/1.1 200 OK\r\nContent-')],
    [
      'two lengths',
      (socket: Socket) => socket.end('HTTP/1.1 200 OK\r\nContent-Length: 1\r\ncontent-length: 2\r\n\r\nab'),
    ],
    [
      'length and chunks',
      (socket: Socket) =>
        socket.end('HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n'),
    ],
    [
      'a control character',
      (socket: Socket) => socket.end('HTTP/1.1 200 OK\r\nX: a\x01b\r\nContent-Length: 0\r\n\r\n'),
    ],
    [
      'a head of 70 KiB',
      (socket: Socket) =>
        socket.end(`HTTP/1.1 200 OK\r\nX: ${'x'.repeat(70 * 1024)}\r\nContent-Length: 0\r\n\r\n`),
    ],
  ])('%s instead of an answer: 502', async (_what, respond) => {
    const up = await upstream((socket) => void respond(socket));
    const port = await gateway({ a: up.port });
    const answer = await exchange(
      port,
      'POST /api/a/x HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: 0\r\n\r\n',
    );
    expect(problemOf(answer)).toMatchObject({ status: 502, code: 'ERR_UPSTREAM' });
  });

  test('a 503 for a POST is passed on, after one hit', async () => {
    const up = await answering('HTTP/1.1 503 Busy\r\nRetry-After: 7\r\nContent-Length: 0\r\n\r\n');
    const port = await gateway({ a: up.port });
    const answer = await exchange(
      port,
      'POST /api/a/x HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: 2\r\n\r\nhi',
    );
    expect(answer).toMatch(/^HTTP\/1\.1 503 Busy\r\nRetry-After: 7\r\n/);
    expect(up.received().match(/^POST /gm)).toHaveLength(1);
  });

  test.each([
    ['Content-Length: 10', '12345'],
    ['Transfer-Encoding: chunked', '5\r\n12345\r\n'],
  ])('an answer that breaks off breaks off for the client (%s)', async (framing, body) => {
    const up = await answering(`HTTP/1.1 200 OK\r\n${framing}\r\n\r\n${body}`);
    const port = await gateway({ a: up.port });
    const { until, closed } = await client(port, 'GET /api/a/x HTTP/1.1\r\nHost: h\r\n\r\n');
    await until(/12345/);
    up.connections[0]?.end();
    const answer = await closed;
    expect(answer).toMatch(/12345(\r\n)?$/);
    expect(answer).toMatch(/^Connection: keep-alive\r$/im);
  });

  test('a GET that an instance refuses is answered by another', async () => {
    const [ill, well] = await Promise.all([
      answering('HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n'),
      answering(ok),
    ]);
    const instances = [ill, well].map(({ port }) => ({ id: String(port), host: '127.0.0.1', port }));
    const resolution = { instances };
    const discovery = { peek: () => resolution, resolve: () => Promise.resolve(resolution) };
    const client = createServiceClient({ discovery, strategy: 'round-robin' });
    cleanups.push(() => client.close(0));
    const port = await gateway({}, { client });
    for (let call = 0; call < 4; call++) {
      const answer = await exchange(port, get('/api/a/x'));
      expect(answer).toMatch(/ok$/);
      expect(linesOf(answer, 'x-instance')).toEqual([`x-instance: ${well.port}`]);
    }
    expect(ill.received()).toMatch(/^GET /);
  });

  test('a registry that cannot be asked is 503', async () => {
    const failure = Object.assign(new Error('down'), {
      code: 'ERR_DISCOVERY_UNAVAILABLE',
      retryAfterMs: 2_000,
    });
    const discovery = { peek: () => undefined, resolve: () => Promise.reject(failure) };
    const client = createServiceClient({ discovery, retry: { maxRetries: 0 } });
    cleanups.push(() => client.close(0));
    const port = await gateway({}, { client });
    expect(problemOf(await exchange(port, get('/api/a/x')))).toEqual({
      status: 503,
      code: 'ERR_DISCOVERY_UNAVAILABLE',
      retryAfter: '2',
    });
  });

  test('an instance that is silent for too long: 504', async () => {
    const up = await upstream(() => undefined);
    const port = await gateway({}, { client: meshClient({ a: up.port }, { attemptTimeoutMs: 20 }) });
    expect(problemOf(await exchange(port, get('/api/a/x')))).toEqual({
      status: 504,
      code: 'ERR_TIMEOUT',
      retryAfter: '1',
    });
  });

  test('clients that leave blame no instance', async () => {
    const up = await upstream(() => undefined);
    const client_ = meshClient({ a: up.port });
    const port = await gateway({}, { client: client_ });
    for (let call = 0; call < 4; call++) {
      const { socket } = await client(port, 'GET /api/a/x HTTP/1.1\r\nHost: h\r\n\r\n');
      while (up.connections.length <= call) await new Promise((resolve) => setImmediate(resolve));
      while (up.received().split('GET ').length <= call + 1)
        await new Promise((resolve) => setImmediate(resolve));
      socket.destroy();
      if (!up.connections[call]!.destroyed) await once(up.connections[call]!, 'close');
    }
    const [instance] = client_.getSnapshot().services['a']!.instances;
    expect(instance).toMatchObject({ state: 'closed', failureCount: 0, inflight: 0 });
    expect(client_.getSnapshot().totals).toMatchObject({ requests: 4, aborted: 4, failed: 0 });
  });

  test('a client that leaves while the service is looked up is not sent for', async () => {
    const up = await answering(ok);
    const found = Promise.withResolvers<Resolution>();
    let asked = 0;
    const discovery = { peek: () => undefined, resolve: () => (asked++, found.promise) };
    const slow = createServiceClient({ discovery });
    cleanups.push(() => slow.close(0));
    const port = await gateway({}, { client: slow });
    const { socket } = await client(port, 'GET /api/a/x HTTP/1.1\r\nHost: h\r\n\r\n');
    while (asked === 0) await new Promise((resolve) => setImmediate(resolve));
    socket.destroy();
    while (slow.getSnapshot().totals.aborted === 0) await new Promise((resolve) => setImmediate(resolve));
    found.resolve({ instances: [{ id: 'a-1', host: '127.0.0.1', port: up.port }] });
    await slow.close();
    expect(up.received()).toBe('');
  });

  test('a client that leaves before the head takes its request with it', async () => {
    const closed: string[] = [];
    const up = await upstream((socket) => socket.on('close', () => closed.push('upstream')));
    const port = await gateway({ a: up.port });
    const { socket } = await client(port, 'GET /api/a/x HTTP/1.1\r\nHost: h\r\n\r\n');
    while (!up.received().includes('\r\n\r\n')) await new Promise((resolve) => setImmediate(resolve));
    socket.destroy();
    const [connection] = up.connections;
    if (!connection?.destroyed) await once(connection!, 'close');
    expect(closed).toEqual(['upstream']);
  });

  test('a client that leaves takes the requests with it that stand behind another', async () => {
    const up = await upstream(() => undefined);
    const port = await gateway({ a: up.port });
    const { socket } = await client(port, 'GET /api/a/x HTTP/1.1\r\nHost: h\r\n\r\n'.repeat(2));
    while (up.received().split('GET ').length < 3) await new Promise((resolve) => setImmediate(resolve));
    socket.destroy();
    for (const connection of up.connections) if (!connection.destroyed) await once(connection, 'close');
  });

  test('a client that leaves in the middle of the answer takes its request with it', async () => {
    const up = await upstream((socket) => {
      socket.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n');
    });
    const port = await gateway({ a: up.port });
    const { socket, until } = await client(port, 'GET /api/a/x HTTP/1.1\r\nHost: h\r\n\r\n');
    await until(/\r\na\r\n/);
    socket.destroy();
    await once(up.connections[0]!, 'close');
  });

  test('a client that leaves in the middle of its upload takes its request with it', async () => {
    const up = await upstream(() => undefined);
    const port = await gateway({ a: up.port });
    const { socket } = await client(
      port,
      'POST /api/a/x HTTP/1.1\r\nHost: h\r\nContent-Length: 100000\r\n\r\n12345',
    );
    while (!up.received().includes('12345')) await new Promise((resolve) => setImmediate(resolve));
    socket.destroy();
    await once(up.connections[0]!, 'close');
  });
});

describe('bodies', () => {
  /** Resolves with the count when it has not grown for a while. */
  async function stalled(count: () => number): Promise<number> {
    let before = 0;
    for (let same = 0; same < 5;) {
      await new Promise((resolve) => setTimeout(resolve, 30));
      same = count() === before && before > 0 ? same + 1 : 0;
      before = count();
    }
    return before;
  }

  /** More than the buffers of four sockets hold. */
  const bytes = 64 * 1024 * 1024;

  test('a client that does not read holds the upstream back, then gets every byte', async () => {
    let sent = 0;
    const up = await upstream((socket) => {
      socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${bytes}\r\n\r\n`);
      const send = (): void => {
        while (sent < bytes) {
          sent += 65_536;
          if (!socket.write(Buffer.alloc(65_536, 'x'))) return;
        }
      };
      socket.on('drain', send);
      send();
    });
    const port = await gateway({ a: up.port });
    const socket = connect(port, '127.0.0.1').pause();
    cleanups.push(() => socket.destroy());
    socket.write(get('/api/a/x'));
    expect(await stalled(() => sent)).toBeLessThan(bytes / 2);
    let received = 0;
    socket.on('data', (chunk) => (received += chunk.length));
    socket.resume();
    await once(socket, 'end');
    expect(received).toBeGreaterThan(bytes);
    expect(received).toBeLessThan(bytes + 1_000);
  });

  /** An upstream that takes connections and reads nothing. */
  async function unreading(): Promise<{ port: number; connection: Promise<Socket> }> {
    const first = Promise.withResolvers<Socket>();
    const server = createServer((socket) => {
      socket.pause();
      socket.on('error', () => undefined);
      cleanups.push(() => socket.destroy());
      first.resolve(socket);
    }).listen(0, '127.0.0.1');
    cleanups.push(() => server.close());
    await once(server, 'listening');
    return { port: (server.address() as AddressInfo).port, connection: first.promise };
  }

  /** Uploads as fast as the other side lets it. */
  async function upload(port: number): Promise<Client & { sent: () => number }> {
    const head = `POST /api/a/x HTTP/1.1\r\nHost: h\r\nContent-Length: ${bytes}\r\n\r\n`;
    const uploader = await client(port, head);
    let sent = 0;
    const send = (): void => {
      while (sent < bytes) {
        sent += 65_536;
        if (!uploader.socket.write(Buffer.alloc(65_536, 'x'))) return;
      }
    };
    uploader.socket.on('drain', send);
    send();
    return { ...uploader, sent: () => sent };
  }

  test('an upstream that does not read holds the client back, then gets every byte', async () => {
    const up = await unreading();
    const { sent, until } = await upload(await gateway({ a: up.port }, { bodyLimit: bytes }));
    const connection = await up.connection;
    expect(await stalled(sent)).toBeLessThan(bytes / 2);
    let received = 0;
    connection.on('data', (chunk) => {
      received += chunk.length;
      if (received > bytes) connection.end(ok);
    });
    connection.resume();
    await until(/^HTTP\/1\.1 200 OK[^]*ok$/);
    expect(received).toBeLessThan(bytes + 1_000);
  });

  test('an upstream that answers without reading lets the client finish and ask again', async () => {
    const up = await unreading();
    const well = await answering(ok);
    const { sent, until, socket } = await upload(
      await gateway({ a: up.port, b: well.port }, { bodyLimit: bytes }),
    );
    const connection = await up.connection;
    await stalled(sent);
    connection.write('HTTP/1.1 401 No\r\nContent-Length: 0\r\n\r\n');
    await until(/^HTTP\/1\.1 401 No/);
    while (sent() < bytes) await once(socket, 'drain');
    socket.write(get('/api/b/'));
    await until(/200 OK[^]*ok$/);
  });

  test('a client that goes on uploading what nobody wants is cut off', async () => {
    const up = await answering(ok);
    const port = await gateway({ a: up.port }, { bodyLimit: 10 });
    const { until, closed } = await client(
      port,
      'POST /api/a/x HTTP/1.1\r\nHost: h\r\nContent-Length: 99\r\n\r\nx',
    );
    expect(problemOf(await until(/\}$/))).toMatchObject({ status: 413 });
    expect(await closed).toMatch(/\}$/);
  });

  test('10 MB go up and come back at the same time', async () => {
    const size = 10 * 1024 * 1024;
    const server = createServer((socket) => {
      socket.on('error', () => undefined);
      cleanups.push(() => socket.destroy());
      // Answers with what comes, from the first byte of the request's head on.
      socket.write('HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n');
      socket.pipe(socket);
    }).listen(0, '127.0.0.1');
    cleanups.push(() => server.close());
    await once(server, 'listening');
    const port = await gateway({ a: (server.address() as AddressInfo).port });
    const { socket } = await client(
      port,
      `POST /api/a/x HTTP/1.1\r\nHost: h\r\nContent-Length: ${size}\r\n\r\n`,
    );
    let echoed = 0;
    socket.on('data', (chunk: Buffer) => (echoed += chunk.length));
    socket.write(Buffer.alloc(size, 'x'));
    while (echoed < size) await once(socket, 'data');
  });

  test('a chunked body stays a body, and its framing is new', async () => {
    const up = await answering(ok);
    const port = await gateway({ a: up.port });
    const request =
      'PUT /api/a/x HTTP/1.1\r\nHost: h\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n';
    expect(await exchange(port, `${request}5;ext=1\r\nhello\r\n0\r\nX-Trailer: 1\r\n\r\n`)).toMatch(/ok$/);
    expect(up.received()).toMatch(/hello/);
    expect(up.received()).not.toMatch(/ext=1/);
  });

  test.each([
    'application/json',
    'text/plain; charset=x',
    'multipart/form-data; boundary=b',
    'x/y',
    undefined,
  ])('a body of type %s is not looked into', async (type) => {
    const up = await answering(ok);
    const port = await gateway({ a: up.port });
    const head = `POST /api/a/x HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: 10\r\n`;
    const answer = await exchange(
      port,
      `${head}${type === undefined ? '' : `Content-Type: ${type}\r\n`}\r\n{"not json`,
    );
    expect(answer).toMatch(/ok$/);
    expect(up.received()).toMatch(/\r\n\r\n\{"not json/);
    expect(linesOf(up.received(), 'content-type')).toEqual(
      type === undefined ? [] : [`Content-Type: ${type}`],
    );
  });

  test('a body that is longer than it says harms nobody', async () => {
    const up = await answering(ok);
    const port = await gateway({ a: up.port });
    const head = 'POST /api/a/x HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: 1\r\n\r\n';
    expect(await exchange(port, `${head}too long`)).toMatch(/^HTTP\/1\.1 400 /);
    expect(await exchange(port, get('/api/a/x'))).toMatch(/ok$/);
  });

  test.each(['GET', 'DELETE', 'OPTIONS', 'PATCH'])('%s may have a body', async (method) => {
    const up = await answering(ok);
    const port = await gateway({ a: up.port });
    const head = `${method} /api/a/x HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello`;
    expect(await exchange(port, head)).toMatch(/ok$/);
    expect(up.received()).toMatch(/^content-length: 5\r\n[^]*hello$/im);
  });

  test('a declared length over the limit is refused before the upstream hears of it', async () => {
    const up = await answering(ok);
    const port = await gateway({ a: up.port }, { bodyLimit: 10 });
    const { until } = await client(port, 'POST /api/a/x HTTP/1.1\r\nHost: h\r\nContent-Length: 11\r\n\r\n');
    expect(problemOf(await until(/\}$/))).toMatchObject({ status: 413, code: 'ERR_BODY_TOO_LARGE' });
    expect(up.connections).toHaveLength(0);
  });

  test('a chunked body over the limit is cut off there, and the upstream is not answered for', async () => {
    const up = await upstream(() => undefined);
    const port = await gateway({ a: up.port }, { bodyLimit: 10 });
    const { socket, until } = await client(
      port,
      'POST /api/a/x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n',
    );
    socket.write('5\r\nhello\r\n');
    while (!up.received().includes('hello')) await new Promise((resolve) => setImmediate(resolve));
    socket.write('6\r\nworld!\r\n');
    expect(problemOf(await until(/\}$/))).toMatchObject({ status: 413 });
    if (!up.connections[0]!.destroyed) await once(up.connections[0]!, 'close');
    expect(up.received()).not.toContain('world');
  });

  test('an answer before the end of the upload reaches the client, and its connection stays of use', async () => {
    const up = await upstream((socket, head) => {
      socket.write(head.startsWith('POST') ? 'HTTP/1.1 401 No\r\nContent-Length: 0\r\n\r\n' : ok);
    });
    const port = await gateway({ a: up.port });
    const { socket, until } = await client(
      port,
      'POST /api/a/x HTTP/1.1\r\nHost: h\r\nContent-Length: 1000005\r\n\r\n12345',
    );
    await until(/^HTTP\/1\.1 401 No\r\n[^]*\r\n\r\n$/);
    // By now undici has let go of the body that it was sending.
    if (!up.connections[0]!.destroyed) await once(up.connections[0]!, 'close');
    await new Promise((resolve) => setImmediate(resolve));
    socket.write(`${'x'.repeat(1_000_000)}${get('/api/a/next')}`);
    await until(/401[^]*200 OK[^]*ok$/);
  });

  test('an upstream that breaks off in the middle of an upload is told to the client, whose connection stays of use', async () => {
    const up = await upstream((socket, head) => {
      if (head.startsWith('GET')) socket.write(ok);
      else socket.once('data', () => socket.resetAndDestroy());
    });
    const port = await gateway({ a: up.port });
    const size = 5_000_000;
    const { socket, until } = await client(
      port,
      `POST /api/a/x HTTP/1.1\r\nHost: h\r\nContent-Length: ${size}\r\n\r\n`,
    );
    socket.write(Buffer.alloc(size, 'x'));
    expect(problemOf(await until(/\}$/))).toMatchObject({ status: 502, code: 'ERR_UPSTREAM' });
    socket.write(get('/api/a/next'));
    await until(/200 OK[^]*ok$/);
  });

  test('requests that come before their turn are answered in turn', async () => {
    const up = await upstream((socket, head) => {
      const body = head.split(' ')[1] ?? '';
      socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
    });
    const port = await gateway({ a: up.port });
    const { until } = await client(
      port,
      ['/api/a/1', '/api/a/2', '/api/a/3'].map((path) => `GET ${path} HTTP/1.1\r\nHost: h\r\n\r\n`).join(''),
    );
    await until(/\r\n\r\n\/1HTTP[^]*\r\n\r\n\/2HTTP[^]*\r\n\r\n\/3$/);
  });

  test('the first event of a stream comes without the second', async () => {
    const up = await upstream((socket) => {
      socket.write('HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n');
    });
    const port = await gateway({ a: up.port });
    const { until } = await client(port, get('/api/a/events', 'Accept: text/event-stream'));
    await until(/\r\n\r\n$/);
    up.connections[0]?.write('data: 1\n\n');
    await until(/data: 1\n\n/);
    up.connections[0]?.write('data: 2\n\n');
    await until(/data: 2\n\n/);
  });

  test.each([
    ['HEAD', 'HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n', 'Content-Length: 1000'],
    ['GET', 'HTTP/1.1 304 Not Modified\r\nContent-Length: 1000\r\nETag: "a"\r\n\r\n', 'Content-Length: 1000'],
    ['DELETE', 'HTTP/1.1 204 No Content\r\nX-Done: 1\r\n\r\n', 'X-Done: 1'],
    [
      'GET',
      'HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 204 No Content\r\nX-Done: 1\r\n\r\n',
      'X-Done: 1',
    ],
  ])('%s with %j has no body', async (method, sent, line) => {
    const up = await answering(sent);
    const port = await gateway({ a: up.port });
    const answer = await exchange(port, get('/api/a/x').replace('GET', method));
    expect(answer).toMatch(/^(?:HTTP\/1\.1 103 [^]*\r\n\r\n)?HTTP\/1\.1 (200|204|304) /);
    expect(answer.split('\r\n')).toContain(line);
    expect(answer).toMatch(/\r\n\r\n$/);
    expect(linesOf(answer, 'transfer-encoding')).toEqual([]);
  });

  test('a body that ends with the connection is whole', async () => {
    const up = await upstream((socket) => socket.end('HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhello'));
    const port = await gateway({ a: up.port });
    expect(await exchange(port, get('/api/a/x'))).toMatch(/\r\n5\r\nhello\r\n0\r\n\r\n$/);
  });

  test('a client of HTTP/1.0 gets a body without chunks', async () => {
    const up = await upstream((socket) =>
      socket.end('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n'),
    );
    const port = await gateway({ a: up.port });
    expect(await exchange(port, 'GET /api/a/x HTTP/1.0\r\nHost: h\r\n\r\n')).toMatch(/\r\n\r\nhello$/);
  });
});

describe('options', () => {
  test.each([
    [{ bodyLimit: -1 }, 'bodyLimit'],
    [{ idleTimeoutMs: 1.5 }, 'idleTimeoutMs'],
    [{ dynamicPrefix: 'api' }, 'dynamicPrefix'],
    [{ dynamicPrefix: '/api/' }, 'dynamicPrefix'],
    [{ routes: [{ prefix: '/a/*', service: 'a' }] }, 'prefix'],
    [{ routes: [{ prefix: '/a', service: 'localhost' }] }, 'service'],
    [{ routes: [{ prefix: '/a', service: 'a', rewrite: '/b/' }] }, 'rewrite'],
    [
      {
        routes: [
          { prefix: '/a', service: 'a' },
          { prefix: '/a', service: 'b' },
        ],
      },
      'twice',
    ],
  ])('%j is refused', async (options, word) => {
    const app = Fastify();
    app.register(proxyRoutes, { client: meshClient({}), ...options });
    const failure: unknown = await app.ready().then(
      () => undefined,
      (error: unknown) => error,
    );
    expect(failure).toBeInstanceOf(RangeError);
    expect(String(failure)).toContain(word);
  });
});
