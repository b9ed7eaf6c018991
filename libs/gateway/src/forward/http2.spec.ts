import { afterEach, describe, expect, test } from '@jest/globals';
import Fastify, { type FastifyInstance } from 'fastify';
import { once } from 'node:events';
import {
  connect,
  constants,
  type ClientHttp2Session,
  type ClientHttp2Stream,
  type IncomingHttpHeaders,
  type OutgoingHttpHeaders,
} from 'node:http2';
import type { Server } from 'node:http';
import { Server as NetServer, type AddressInfo } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { proxyRoutes, type ProxyRoutesOptions } from '../proxy.ts';
import { makeCertificates } from '../testing/certificates.ts';
import {
  answering,
  cleanUp,
  cleanups,
  get,
  linesOf,
  meshClient,
  ok,
  turn,
  eventually,
  upstream,
} from '../testing/raw-http.ts';

afterEach(cleanUp);

/** A gateway that speaks HTTP/2 in the clear, or whatever the Fastify options say. */
async function front(
  ports: Record<string, number>,
  server: object = { http2: true },
  options: Partial<ProxyRoutesOptions> = {},
): Promise<number> {
  const app = Fastify({ forceCloseConnections: true, ...server });
  await app.register(proxyRoutes, { client: meshClient(ports), dynamicPrefix: '/api', ...options });
  await app.listen({ port: 0, host: '127.0.0.1' });
  cleanups.push(() => app.close());
  return (app.server.address() as AddressInfo).port;
}

function session(port: number, options: object = {}, scheme = 'http'): ClientHttp2Session {
  const opened = connect(`${scheme}://127.0.0.1:${port}`, options);
  opened.on('error', () => undefined);
  cleanups.push(() => {
    opened.destroy();
  });
  return opened;
}

interface Answer {
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
  readonly trailers: IncomingHttpHeaders | undefined;
  readonly code: number;
}

async function answerOf(stream: ClientHttp2Stream): Promise<Answer> {
  let headers: IncomingHttpHeaders = {};
  let trailers: IncomingHttpHeaders | undefined;
  let body = '';
  stream.on('response', (got) => (headers = got));
  stream.on('trailers', (got) => (trailers = got));
  stream.on('data', (chunk: Buffer) => (body += chunk.toString('latin1')));
  stream.on('error', () => undefined);
  await new Promise((resolve) => stream.once('close', resolve));
  return { headers, body, trailers, code: stream.rstCode };
}

function ask(port: number, headers: OutgoingHttpHeaders, body?: string): Promise<Answer> {
  const stream = session(port).request(headers, { endStream: body === undefined });
  if (body !== undefined) stream.end(body);
  return answerOf(stream);
}

describe('a client of HTTP/2', () => {
  test('gets the answer of an instance, without what belongs to a connection of HTTP/1', async () => {
    const up = await answering(
      'HTTP/1.1 200 OK\r\nX-A: 1\r\nX-A: 2\r\nSet-Cookie: a\r\nSet-Cookie: b\r\nKeep-Alive: timeout=5\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nok',
    );
    const port = await front({ a: up.port });
    const { headers, body } = await ask(port, { ':path': '/api/a/x?y', 'x-b': '1', cookie: ['c=1', 'd=2'] });
    expect(body).toBe('ok');
    expect(headers).toMatchObject({
      ':status': 200,
      'x-a': '1, 2',
      'set-cookie': ['a', 'b'],
      'x-instance': 'a-1',
    });
    expect(headers).not.toHaveProperty('keep-alive');
    const head = up.received();
    expect(head).toMatch(/^GET \/x\?y HTTP\/1\.1\r\n/);
    expect(linesOf(head, 'host')).toEqual([`host: 127.0.0.1:${port}`]);
    expect(linesOf(head, 'cookie')).toEqual(['cookie: c=1; d=2']);
    expect(linesOf(head, 'x-b')).toEqual(['x-b: 1']);
    expect(head).not.toMatch(/^:/m);
  });

  test('sends bodies with and without a length', async () => {
    const up = await answering(ok);
    const port = await front({ a: up.port });
    expect(await ask(port, { ':path': '/api/a/x', ':method': 'POST' }, 'hello')).toMatchObject({
      body: 'ok',
    });
    expect(up.received()).toMatch(/transfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n$/);
    await ask(port, { ':path': '/api/a/x', ':method': 'POST', 'content-length': '5' }, 'hello');
    expect(up.received()).toMatch(/content-length: 5\r\n\r\nhello$/);
  });

  test('hears 103 and trailers', async () => {
    const up = await answering(
      'HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX-Sum: 1\r\n\r\n',
    );
    const port = await front({ a: up.port });
    const stream = session(port).request({ ':path': '/api/a/x', te: 'trailers' });
    const interim = once(stream, 'headers');
    const { body, trailers } = await answerOf(stream);
    expect((await interim)[0]).toMatchObject({ ':status': 103, link: '</a>' });
    expect(body).toBe('ok');
    expect(trailers).toMatchObject({ 'x-sum': '1' });
  });

  test('gets a problem as everybody does', async () => {
    const port = await front({});
    const { headers, body } = await ask(port, { ':path': '/api/none/x' });
    expect(headers[':status']).toBe(404);
    expect(headers['content-type']).toMatch(/^application\/problem\+json/);
    expect(JSON.parse(body)).toMatchObject({ code: 'ERR_SERVICE_UNKNOWN' });
  });

  test('two names for the host must be one', async () => {
    const up = await answering(ok);
    const port = await front({ a: up.port });
    const authority = { ':path': '/api/a/x', ':authority': 'h' };
    expect((await ask(port, { ...authority, host: 'other' })).headers[':status']).toBe(400);
    expect(up.connections).toHaveLength(0);
    expect((await ask(port, { ...authority, host: 'h' })).headers[':status']).toBe(200);
  });

  test('sees that an answer broke off', async () => {
    const up = await answering('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n12345');
    const port = await front({ a: up.port });
    const stream = session(port).request({ ':path': '/api/a/x' });
    const answer = answerOf(stream);
    await once(stream, 'data');
    up.connections[0]?.end();
    expect(await answer).toMatchObject({ body: '12345', code: constants.NGHTTP2_INTERNAL_ERROR });
  });

  test.each([
    // It was told that this server has no such thing; RFC 8441, 4 makes it a fault of the stream.
    ['not offered', { http2: true }, { code: constants.NGHTTP2_PROTOCOL_ERROR }],
    [
      'offered by the app all the same',
      { http2: true, http: { settings: { enableConnectProtocol: true } } },
      { code: 0, status: 405 },
    ],
  ])('a WebSocket over HTTP/2 is refused, and nothing else: %s', async (_what, server, expected) => {
    const up = await answering(ok);
    const port = await front({ a: up.port }, server);
    const one = session(port);
    await once(one, 'remoteSettings');
    const asked = one.request({ ':method': 'CONNECT', ':protocol': 'websocket', ':path': '/api/a/chat' });
    asked.end();
    const { headers, code } = await answerOf(asked);
    expect({ code, ...(headers[':status'] && { status: headers[':status'] }) }).toEqual(expected);
    expect(up.connections).toHaveLength(0);
    expect(await answerOf(one.request({ ':path': '/api/a/x' }))).toMatchObject({ body: 'ok' });
  });

  test('takes its request with it when it cancels, the other requests of its connection not', async () => {
    const up = await upstream((socket, head) => {
      if (head.includes('/stays')) setImmediate(() => socket.write(ok));
    });
    const port = await front({ a: up.port });
    const one = session(port);
    const cancelled = one.request({ ':path': '/api/a/goes' });
    cancelled.on('error', () => undefined);
    await eventually(() => up.received().includes('/goes'));
    cancelled.close(constants.NGHTTP2_CANCEL);
    const [connection] = up.connections;
    if (connection?.destroyed === false) await new Promise((resolve) => connection.once('close', resolve));
    expect(await answerOf(one.request({ ':path': '/api/a/stays' }))).toMatchObject({ body: 'ok' });
  });
});

describe('a gateway that closes', () => {
  /** Like `stopListening` of `@mesh/service-kit`: by then there is nothing that a close of the server would end. */
  const stopsFirst = (server: Server): void => {
    server.close = (callback) => {
      NetServer.prototype.close.call(server, callback);
      return server;
    };
  };

  test.each([
    ['by itself', () => undefined],
    ['when it has stopped listening before', stopsFirst],
  ])('says so, and ends each connection with its last stream: %s', async (_how, prepare) => {
    const up = await upstream((socket, head) => {
      if (!head.includes('/slow')) setImmediate(() => socket.write(ok));
    });
    const app = Fastify({ http2: true }) as unknown as FastifyInstance;
    await app.register(proxyRoutes, { client: meshClient({ a: up.port }), dynamicPrefix: '/api' });
    await app.listen({ port: 0, host: '127.0.0.1' });
    cleanups.push(() => app.close());
    prepare(app.server);
    const { port } = app.server.address() as AddressInfo;
    const [busy, idle] = [session(port), session(port)];
    await answerOf(idle.request({ ':path': '/api/a/x' }));
    const slow = answerOf(busy.request({ ':path': '/api/a/slow' }));
    await eventually(() => up.received().includes('/slow'));
    const said = once(busy, 'goaway');
    const ended: string[] = [];
    idle.once('close', () => ended.push('idle'));
    const closed = app.close().then(() => ended.push('app'));
    expect((await said).slice(0, 2)).toEqual([constants.NGHTTP2_NO_ERROR, 1]);
    await eventually(() => ended.length > 0);
    expect(ended).toEqual(['idle']);
    for (const socket of up.connections) socket.write(ok);
    expect(await slow).toMatchObject({ body: 'ok', code: 0 });
    await closed;
    await eventually(() => busy.destroyed);
  });
});

const certificates = makeCertificates();

/** Without the `openssl` program these say so as skipped tests. */
const withCertificates = certificates === undefined ? describe.skip : describe;

withCertificates('TLS', () => {
  const { ca = '', server, client } = certificates ?? {};

  test('rapid reset ends the connection, and no call is left', async () => {
    const up = await upstream(() => undefined);
    const mesh = meshClient({ a: up.port });
    const https = { ...server, streamResetBurst: 20, streamResetRate: 1 };
    const port = await front({}, { http2: true, https }, { client: mesh });
    const one = session(port, { ca }, 'https');
    await once(one, 'connect');
    const over = new Promise((resolve) => one.once('close', resolve));
    for (let sent = 0; sent < 200 && !one.destroyed; sent++) {
      const stream = one.request({ ':path': '/api/a/x' });
      stream.on('error', () => undefined);
      stream.close(constants.NGHTTP2_CANCEL);
      if (sent % 10 === 9) await turn();
    }
    await over;
    await eventually(() => (mesh.getSnapshot().services['a']?.instances[0]?.inflight ?? 0) === 0);
  });

  /** One request over HTTP/1.1 and TLS; the whole answer. */
  async function exchangeTls(port: number, options: object): Promise<string> {
    const socket = connectTls({ port, host: '127.0.0.1', ca, ...options });
    let text = '';
    socket.on('data', (chunk: Buffer) => (text += chunk.toString('latin1'))).on('error', () => undefined);
    socket.write(get('/api/a/x', 'X-Forwarded-Client-Cert: Subject="CN=forged"'));
    await new Promise((resolve) => socket.once('close', resolve));
    return text;
  }

  test('a request that came over TLS says so, and both versions of HTTP are served', async () => {
    const up = await answering(ok);
    const port = await front({ a: up.port }, { http2: true, https: { ...server, allowHTTP1: true } });
    expect(await exchangeTls(port, {})).toMatch(/^HTTP\/1\.1 200 OK\r\n[^]*ok$/);
    expect(await answerOf(session(port, { ca }, 'https').request({ ':path': '/api/a/x' }))).toMatchObject({
      body: 'ok',
    });
    expect(linesOf(up.received(), 'x-forwarded-proto')).toEqual(Array(2).fill('x-forwarded-proto: https'));
    expect(up.received()).not.toContain('forged');
  });

  test('who a client’s certificate names is passed on when that is wanted', async () => {
    const up = await answering(ok);
    const https = { ...server, ca, requestCert: true };
    for (const clientCertificate of [false, true]) {
      const port = await front({ a: up.port }, { https }, { clientCertificate });
      expect(await exchangeTls(port, { ...client })).toMatch(/ok$/);
    }
    expect(linesOf(up.received(), 'x-forwarded-client-cert')).toEqual([
      String.raw`x-forwarded-client-cert: Subject="CN=till-7,O=Shop\\, \\\"Inc\\\""`,
    ]);
  });

  test('a client without a certificate is turned away where one is asked for', async () => {
    const up = await answering(ok);
    const https = { ...server, ca, requestCert: true, rejectUnauthorized: true };
    const port = await front({ a: up.port }, { https }, { clientCertificate: true });
    expect(await exchangeTls(port, {})).toBe('');
    expect(up.connections).toHaveLength(0);
  });
});
