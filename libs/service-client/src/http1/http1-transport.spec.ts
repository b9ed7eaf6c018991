import { afterEach, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer as createHttpServer, type RequestListener } from 'node:http';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { Readable } from 'node:stream';
import { eventually } from '../testing/upstream.ts';
import type { Fields, Flow, Peer, Sink, TransportRequest } from '../transport.ts';
import { Http1Transport, type Http1TransportOptions } from './http1-transport.ts';
import { Http1Peer } from './peer.ts';

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

/** Hears one exchange, and keeps it. */
class Listener implements Sink {
  flow: Flow | undefined;
  status = 0;
  headers: Fields = {};
  body = Buffer.alloc(0);
  error: Error | undefined;
  ends = 0;
  bytes = 0;
  onData: ((flow: Flow) => void) | undefined;
  onHead: (() => void) | undefined;
  readonly #chunks: Buffer[] = [];
  readonly done: Promise<this>;
  #settle: (self: this) => void = () => undefined;

  constructor() {
    this.done = new Promise((resolve) => (this.#settle = resolve));
  }
  onRequestStart(flow: Flow): void {
    this.flow = flow;
  }
  onBodySent(): void {
    // Not looked at.
  }
  onRequestSent(): void {
    // Not looked at.
  }
  onResponseStarted(): void {
    // Not looked at.
  }
  onResponseStart(_: Flow, status: number, headers: Fields): void {
    this.status = status;
    this.headers = headers;
    this.onHead?.();
  }
  onRequestUpgrade(): void {
    throw new Error('no upgrade was asked for');
  }
  onResponseData(flow: Flow, chunk: Buffer): void {
    this.bytes += chunk.length;
    this.#chunks.push(chunk);
    this.onData?.(flow);
  }
  onResponseEnd(): void {
    this.#end();
  }
  onResponseError(_: Flow | null, error: Error): void {
    this.error = error;
    this.#end();
  }
  get text(): string {
    return this.body.toString();
  }
  get code(): unknown {
    return (this.error as { code?: unknown } | undefined)?.code;
  }
  #end(): void {
    this.ends++;
    this.body = Buffer.concat(this.#chunks);
    this.#settle(this);
  }
}

async function listening(server: Server): Promise<number> {
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined).on('close', () => sockets.delete(socket));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  cleanups.push(async () => {
    for (const socket of sockets) socket.destroy();
    server.close();
    await once(server, 'close');
  });
  return (server.address() as AddressInfo).port;
}

/** An instance that is played: `onBytes` hears what each connection, by its number, says. */
async function played(onBytes: (socket: Socket, text: string, connection: number) => void) {
  const sockets: Socket[] = [];
  const server = createServer((socket) => {
    const connection = sockets.push(socket) - 1;
    socket.on('data', (bytes) => {
      onBytes(socket, bytes.toString('latin1'), connection);
    });
  });
  return { port: await listening(server), sockets };
}

function transportOf(options: Partial<Http1TransportOptions> = {}): Http1Transport {
  const transport = new Http1Transport({
    connectTimeoutMs: 2_000,
    maxConnections: 8,
    tls: undefined,
    ...options,
  });
  cleanups.push(() => transport.close(0));
  return transport;
}

function peerOf(port: number, options: Partial<Http1TransportOptions> = {}): Peer {
  return transportOf(options).open({ scheme: 'http', host: '127.0.0.1', port });
}

function asked(wanted: Partial<TransportRequest> = {}): TransportRequest {
  return {
    ...{ method: 'GET', path: '/', query: undefined, headers: [], body: null, upgrade: undefined },
    ...{
      headersTimeout: 0,
      bodyTimeout: 0,
      expectContinue: undefined,
      reset: undefined,
      blocking: undefined,
    },
    ...wanted,
  };
}

function send(peer: Peer, wanted: Partial<TransportRequest> = {}, fresh = false): Listener {
  const listener = new Listener();
  peer.send(asked(wanted), listener, fresh);
  return listener;
}

const ok = (text: string, fields = ''): string =>
  `HTTP/1.1 200 OK\r\n${fields}Content-Length: ${text.length}\r\n\r\n${text}`;

describe('connections', () => {
  const numbered = (fields = '') =>
    played((socket, _, connection) => socket.write(ok(String(connection), fields)));

  test('one after the other uses one connection, the one that became free last', async () => {
    const { port, sockets } = await numbered();
    const peer = peerOf(port);
    const both = await Promise.all([send(peer).done, send(peer).done]);
    expect(both.map(({ text }) => text).sort()).toEqual(['0', '1']);
    const last = (await send(peer).done).text;
    for (let time = 0; time < 3; time++) expect((await send(peer).done).text).toBe(last);
    expect(sockets).toHaveLength(2);
  });

  test('no more than there may be; who waits is served in turn', async () => {
    const seen: string[] = [];
    const { port, sockets } = await played((socket, text) => {
      seen.push(text.split(' ')[1] ?? '');
      socket.write(ok(''));
    });
    const peer = peerOf(port, { maxConnections: 1 });
    await Promise.all(['/a', '/b', '/c'].map((path) => send(peer, { path }).done));
    expect(seen).toEqual(['/a', '/b', '/c']);
    expect(sockets).toHaveLength(1);
  });

  test('who goes away while waiting costs nothing', async () => {
    const seen: string[] = [];
    const { port } = await played((socket, text) => {
      seen.push(text.split(' ')[1] ?? '');
      socket.write(ok(''));
    });
    const peer = peerOf(port, { maxConnections: 1 });
    const first = send(peer, { path: '/a' });
    const gone = new Listener();
    gone.onRequestStart = (flow) => {
      flow.abort(new Error('gone'));
    };
    peer.send(asked({ path: '/b' }), gone, false);
    const last = send(peer, { path: '/c' });
    await Promise.all([first.done, gone.done, last.done]);
    expect([gone.error?.message, gone.ends]).toEqual(['gone', 1]);
    expect(seen).toEqual(['/a', '/c']);
  });

  test('a fresh one when it is asked for', async () => {
    const { port, sockets } = await numbered();
    const peer = peerOf(port);
    await send(peer).done;
    expect((await send(peer, {}, true).done).text).toBe('1');
    expect(sockets).toHaveLength(2);
  });

  test.each([
    ['Connection: close', 'Connection: close\r\n'],
    ['a peer that keeps it for no longer than a second', 'Keep-Alive: timeout=1\r\n'],
  ])('not again after %s', async (_, fields) => {
    const { port, sockets } = await numbered(fields);
    const peer = peerOf(port);
    for (const text of ['0', '1']) expect((await send(peer).done).text).toBe(text);
    await eventually(
      () => sockets.every(({ destroyed, readableEnded }) => destroyed || readableEnded),
      'the close',
    );
  });

  test('not again after an answer of HTTP/1.0, or one that ends with the connection', async () => {
    const { port } = await played((socket, text, connection) => {
      if (text.startsWith('GET /old'))
        socket.write(`HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\n${connection}`);
      else socket.end(`HTTP/1.1 200 OK\r\n\r\n${connection}`);
    });
    const peer = peerOf(port);
    const texts: string[] = [];
    for (const path of ['/old', '/old', '/', '/']) texts.push((await send(peer, { path }).done).text);
    expect(texts).toEqual(['0', '1', '2', '3']);
  });

  test('not again when bytes came that nobody asked for, with the answer or later', async () => {
    const { port, sockets } = await played((socket, text, connection) => {
      socket.write(ok(String(connection)) + (text.startsWith('GET /more') ? ok('evil') : ''));
    });
    const peer = peerOf(port);
    expect((await send(peer, { path: '/more' }).done).text).toBe('0');
    expect((await send(peer).done).text).toBe('1');
    sockets[1]?.write(ok('evil'));
    await eventually(() => sockets[1]?.destroyed === true || sockets[1]?.readableEnded === true, 'the close');
    expect((await send(peer).done).text).toBe('2');
  });

  test('one that the instance closed while it was free is not used', async () => {
    const { port, sockets } = await numbered();
    const peer = peerOf(port);
    await send(peer).done;
    sockets[0]?.end();
    await once(sockets[0] as Socket, 'close');
    await new Promise(setImmediate);
    expect(await send(peer).done).toMatchObject({ text: '1', error: undefined });
  });

  test('one that ends under a request is told from one that had served before', async () => {
    const { port } = await played((socket, text) => {
      if (text.startsWith('GET /die')) socket.destroy();
      else socket.write(ok(''));
    });
    const peer = peerOf(port);
    const first = await send(peer, { path: '/die' }).done;
    expect(peer.wasReused(first.error as Error)).toBe(false);
    await send(peer).done;
    const second = await send(peer, { path: '/die' }).done;
    expect(second.ends).toBe(1);
    expect(peer.wasReused(second.error as Error)).toBe(true);
  });

  test('free ones are closed after four seconds', async () => {
    const { port, sockets } = await numbered();
    const clock = { seconds: 0 };
    const destination = { host: '127.0.0.1', port, authority: 'a', tls: undefined, timeoutMs: 1_000 };
    const peer = new Http1Peer({
      destination,
      maxConnections: 2,
      buffer: Buffer.alloc(65_536),
      clock,
      onEmpty: () => undefined,
    });
    await send(peer).done;
    clock.seconds = 3;
    peer.sweep();
    expect((await send(peer).done).text).toBe('0');
    clock.seconds = 7;
    peer.sweep();
    await eventually(() => sockets[0]?.destroyed === true, 'the close');
    expect((await send(peer).done).text).toBe('1');
    peer.close();
  });

  test('nobody there: each request hears of it, and none is left behind', async () => {
    const { port, sockets } = await numbered();
    const peer = peerOf(port, { maxConnections: 2 });
    await send(peer).done;
    for (const cleanup of cleanups.splice(0, 1)) await cleanup();
    expect(sockets[0]?.destroyed).toBe(true);
    const all = await Promise.all([1, 2, 3, 4, 5].map(() => send(peer).done));
    expect(all.map(({ ends }) => ends)).toEqual([1, 1, 1, 1, 1]);
    // A free connection may have been closed under the first.
    expect(all.slice(1).map(({ code }) => code)).toEqual(Array(4).fill('ECONNREFUSED'));
  });

  test('a handshake that never ends is cut off', async () => {
    const { port } = await played(() => undefined);
    const peer = transportOf({ connectTimeoutMs: 50 }).open({ scheme: 'https', host: '127.0.0.1', port });
    expect((await send(peer).done).code).toBe('UND_ERR_CONNECT_TIMEOUT');
  });

  test('options of TLS that make no sense fail the request, not the caller', async () => {
    const tls = { cert: 'none', key: 'none' };
    const peer = transportOf({ tls }).open({ scheme: 'https', host: '127.0.0.1', port: 1 });
    expect((await send(peer).done).error).toBeDefined();
  });
});

describe('answers', () => {
  test('a large one is whole, sized or in chunks', async () => {
    const large = randomBytes(3 * 1024 * 1024 + 7);
    const server = createHttpServer((request, response) => {
      if (request.url === '/sized') response.setHeader('content-length', large.length);
      for (let at = 0; at < large.length; at += 100_000) response.write(large.subarray(at, at + 100_000));
      response.end();
    });
    const peer = peerOf(await listening(server));
    const digest = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');
    for (const path of ['/sized', '/chunks', '/sized']) {
      const { body } = await send(peer, { path }).done;
      expect([body.length, digest(body)]).toEqual([large.length, digest(large)]);
    }
  });

  test('a small one stays what it is while the next is read', async () => {
    const { port } = await played((socket, text) => socket.write(ok((text.split(' ')[1] ?? '').repeat(100))));
    const peer = peerOf(port);
    const first = await send(peer, { path: '/a' }).done;
    await send(peer, { path: '/b' }).done;
    expect(first.text).toBe('/a'.repeat(100));
  });

  test('who pauses is sent no more than fits on the way; then the rest comes', async () => {
    const total = 64 * 1024 * 1024;
    const server = createHttpServer((_, response) => {
      response.setHeader('content-length', total);
      Readable.from(
        (function* () {
          for (let sent = 0; sent < total; sent += 65_536) yield Buffer.alloc(65_536);
        })(),
      ).pipe(response);
    });
    const peer = peerOf(await listening(server));
    const listener = new Listener();
    listener.onData = (flow) => {
      flow.pause();
    };
    peer.send(asked(), listener, false);
    await eventually(() => listener.bytes > 0, 'the first bytes');
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(listener.bytes).toBeLessThan(200_000);
    listener.onData = undefined;
    listener.flow?.resume();
    expect((await listener.done).body).toHaveLength(total);
    expect((await send(peer).done).body).toHaveLength(total);
  });

  test.each([
    ['half a body', 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab', 'UND_ERR_SOCKET'],
    ['half a head', 'HTTP/1.1 200 OK\r\nConte', 'UND_ERR_SOCKET'],
    ['nothing', '', 'UND_ERR_SOCKET'],
    ['half a chunk', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab', 'UND_ERR_SOCKET'],
  ])('%s is an error', async (_, text, code) => {
    const { port } = await played((socket) => socket.end(text));
    const { ends, code: told } = await send(peerOf(port)).done;
    expect([ends, told]).toEqual([1, code]);
  });

  test('what is no HTTP ends the connection', async () => {
    const { port, sockets } = await played((socket) => socket.write('220 mail.example ESMTP\r\n'));
    const { error } = await send(peerOf(port)).done;
    expect(error?.name).toBe('HTTPParserError');
    await eventually(() => sockets[0]?.destroyed === true, 'the close');
  });

  test('a switch that nobody asked for is an error', async () => {
    const { port } = await played((socket) =>
      socket.write('HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n'),
    );
    expect((await send(peerOf(port)).done).error?.name).toBe('HTTPParserError');
  });

  test('who throws at the head hears of it, and the connection is gone', async () => {
    const { port, sockets } = await played((socket) => socket.write(ok('x')));
    const listener = new Listener();
    listener.onHead = () => {
      throw new Error('not that');
    };
    peerOf(port).send(asked(), listener, false);
    expect((await listener.done).error?.message).toBe('not that');
    await eventually(() => sockets[0]?.destroyed === true, 'the close');
  });

  test('an abort closes the connection at once, before the head and within the body', async () => {
    const { port, sockets } = await played((socket, text) => {
      if (text.startsWith('GET /body')) socket.write('HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nab');
    });
    const peer = peerOf(port);
    for (const path of ['/head', '/body']) {
      const listener = send(peer, { path });
      await eventually(
        () => (path === '/head' ? listener.flow !== undefined : listener.bytes > 0),
        'the start',
      );
      listener.flow?.abort(new Error('gone'));
      listener.flow?.abort(new Error('again'));
      expect([listener.error?.message, listener.ends]).toEqual(['gone', 1]);
    }
    await eventually(() => sockets.length > 0 && sockets.every(({ destroyed }) => destroyed), 'the close');
  });
});

describe('bodies of requests', () => {
  const echo: RequestListener = (request, response) => request.pipe(response);

  test.each([
    ['text', () => 'héllo', 'héllo'],
    ['bytes', () => new Uint8Array([104, 105]), 'hi'],
    ['an ArrayBuffer', () => new Uint8Array([104, 105]).buffer, 'hi'],
    ['a large text', () => 'x'.repeat(100_000), 'x'.repeat(100_000)],
    ['a stream', () => Readable.from(['a', 'b']), 'ab'],
    [
      'an iterable',
      () =>
        (async function* () {
          await Promise.resolve();
          yield Buffer.from('a');
          yield Buffer.from('b');
        })(),
      'ab',
    ],
    ['a Blob', () => new Blob(['blob']), 'blob'],
    ['a web stream', () => new Blob(['web']).stream(), 'web'],
    ['an empty text', () => '', ''],
  ])('%s', async (_, body, text) => {
    const peer = peerOf(await listening(createHttpServer(echo)));
    const answer = await send(peer, { method: 'POST', body: body() }).done;
    expect(answer.error).toBeUndefined();
    expect(answer.text).toBe(text);
  });

  test('a form says what it is', async () => {
    const form = new FormData();
    form.set('name', 'Ada');
    const server = createHttpServer((request, response) => response.end(request.headers['content-type']));
    const { text } = await send(peerOf(await listening(server)), { method: 'POST', body: form }).done;
    expect(text).toMatch(/^multipart\/form-data; boundary=/);
  });

  test('what is no body is refused, and the connection is as it was', async () => {
    const peer = peerOf(await listening(createHttpServer(echo)));
    expect((await send(peer, { method: 'POST', body: { a: 1 } }).done).code).toBe('UND_ERR_INVALID_ARG');
    expect((await send(peer, { method: 'POST', body: 'ok' }).done).text).toBe('ok');
  });

  test.each([
    ['shorter', 'ab'],
    ['longer', 'abcd'],
  ])('a stream that is %s than it says breaks off', async (_, text) => {
    const peer = peerOf(await listening(createHttpServer(echo)));
    const body = Readable.from([text]);
    const { code, flow } = await send(peer, { method: 'POST', body, headers: ['content-length', '3'] }).done;
    expect([code, flow?.aborted]).toEqual(['UND_ERR_REQ_CONTENT_LENGTH_MISMATCH', true]);
  });

  test('a stream that fails breaks off with its error, and blames nobody', async () => {
    const { port, sockets } = await played(() => undefined);
    const body = new Readable({ read: () => undefined });
    const listener = send(peerOf(port), { method: 'POST', body });
    body.push('some');
    await eventually(() => sockets.length === 1, 'the request');
    body.destroy(new Error('no more'));
    expect(await listener.done).toMatchObject({
      error: { message: 'no more' },
      flow: { aborted: true },
      ends: 1,
    });
    await eventually(() => sockets[0]?.destroyed === true, 'the close');
  });

  test('a stream that has failed before is no different', async () => {
    const body = new Readable({ read: () => undefined });
    body.on('error', () => undefined).destroy(new Error('no more'));
    await new Promise(setImmediate);
    const peer = peerOf(await listening(createHttpServer(echo)));
    expect((await send(peer, { method: 'POST', body }).done).error?.message).toBe('no more');
  });

  test('an answer that comes before the body is whole is an answer; the rest is not sent', async () => {
    const { port, sockets } = await played((socket, text) => {
      if (text.startsWith('POST')) socket.write('HTTP/1.1 413 Too Much\r\nContent-Length: 2\r\n\r\nno');
    });
    const body = new Readable({ read: () => undefined });
    body.push('some');
    const answer = await send(peerOf(port), { method: 'POST', body }).done;
    expect(answer).toMatchObject({ status: 413, text: 'no', error: undefined });
    expect(body.destroyed).toBe(true);
    await eventually(() => sockets[0]?.destroyed === true || sockets[0]?.readableEnded === true, 'the close');
  });

  test('an instance that does not read holds the source back', async () => {
    const server = createServer((socket) => socket.pause());
    let given = 0;
    const body = new Readable({
      read() {
        given += 65_536;
        this.push(Buffer.alloc(65_536));
      },
    });
    const listener = send(peerOf(await listening(server)), { method: 'POST', body });
    await eventually(() => given > 0, 'the first bytes');
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(given).toBeLessThan(32 * 1024 * 1024);
    listener.flow?.abort(new Error('enough'));
    expect(body.destroyed).toBe(true);
  });

  test('trailers follow the last chunk', async () => {
    const server = createHttpServer((request, response) => {
      request.resume().on('end', () => response.end(JSON.stringify(request.rawTrailers)));
    });
    const body = Object.assign(Readable.from(['a']), {
      rawTrailers: ['X-Sum', '1', 'Content-Length', '9', 'x y', '2'],
    });
    const { text } = await send(peerOf(await listening(server)), { method: 'POST', body }).done;
    expect(JSON.parse(text)).toEqual(['X-Sum', '1']);
  });
});

describe('the end of a transport', () => {
  test('it waits for what is under way, in line or not, and takes no more', async () => {
    const open: Socket[] = [];
    const { port } = await played((socket) => open.push(socket));
    const transport = transportOf({ maxConnections: 1 });
    const peer = transport.open({ scheme: 'http', host: '127.0.0.1', port });
    const [first, second] = [send(peer), send(peer)];
    await eventually(() => open.length === 1, 'the first request');
    const closed = transport.close(10_000);
    expect((await send(peer).done).code).toBe('UND_ERR_DESTROYED');
    open[0]?.write(ok('1'));
    await eventually(() => open.length === 2, 'the second request');
    open[1]?.write(ok('2'));
    await closed;
    expect([(await first.done).text, (await second.done).text]).toEqual(['1', '2']);
  });

  test('then it cuts off', async () => {
    const { port } = await played(() => undefined);
    const transport = transportOf({ maxConnections: 1 });
    const peer = transport.open({ scheme: 'http', host: '127.0.0.1', port });
    const all = [send(peer), send(peer)];
    await eventually(() => all[0]?.flow !== undefined, 'the request');
    await transport.close(0);
    for (const { done } of all) expect((await done).code).toBe('UND_ERR_DESTROYED');
  });

  test('an address that is released and comes back has connections of its own', async () => {
    const { port, sockets } = await played((socket, text) => {
      if (!text.startsWith('GET /slow')) socket.write(ok('x'));
    });
    const transport = transportOf();
    const address = { scheme: 'http', host: '127.0.0.1', port } as const;
    const [one, same] = [transport.open(address), transport.open(address)];
    expect(same).toBe(one);
    const slow = send(one, { path: '/slow' });
    await eventually(() => sockets.length === 1, 'the request');
    one.release();
    same.release();
    const again = transport.open(address);
    expect(again).not.toBe(one);
    expect((await send(again).done).text).toBe('x');
    sockets[0]?.write(ok('late'));
    expect((await slow.done).text).toBe('late');
  });
});

test('every request ends once, with its own answer or an error, whatever instances do', async () => {
  const acts = ['sized', 'chunked', 'close', 'die', 'half', 'garbage', 'early', 'extra'] as const;
  const server = createServer((socket) => {
    let text = '';
    socket.on('data', (bytes) => {
      text += bytes.toString('latin1');
      for (let end = text.indexOf('\r\n\r\n'); end !== -1; end = text.indexOf('\r\n\r\n')) {
        const [, id = '', act = ''] = /^\w+ \/(\d+)\/(\w+) /.exec(text) ?? [];
        text = text.slice(end + 4);
        if (act === 'sized') socket.write(ok(id));
        else if (act === 'chunked') {
          socket.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n');
          setImmediate(() => socket.write(`${id.length.toString(16)}\r\n${id}\r\n0\r\n\r\n`));
        } else if (act === 'close') socket.end(ok(id, 'Connection: close\r\n'));
        else if (act === 'die') socket.destroy();
        else if (act === 'half') socket.end('HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nhalf');
        else if (act === 'garbage') socket.write('garbage');
        else if (act === 'early') socket.write(`HTTP/1.1 103 x\r\n\r\n${ok(id)}`);
        else socket.write(ok(id) + ok('evil'));
      }
    });
  });
  const port = await listening(server);
  const one = fc.record({ act: fc.constantFrom(...acts), aborts: fc.boolean(), turns: fc.nat(2) });
  await fc.assert(
    fc.asyncProperty(
      fc.array(one, { minLength: 1, maxLength: 25 }),
      fc.integer({ min: 1, max: 4 }),
      async (all, max) => {
        const transport = new Http1Transport({
          connectTimeoutMs: 2_000,
          maxConnections: max,
          tls: undefined,
        });
        const peer = transport.open({ scheme: 'http', host: '127.0.0.1', port });
        const listeners: Listener[] = [];
        for (const [id, { act, aborts, turns }] of all.entries()) {
          const listener = send(peer, { path: `/${id}/${act}` });
          if (aborts) listener.onHead = () => listener.flow?.abort(new Error('aborted'));
          listeners.push(listener);
          for (let turn = 0; turn < turns; turn++) await new Promise(setImmediate);
        }
        for (const [id, { done }] of listeners.entries()) {
          const { text, error, ends } = await done;
          expect(ends).toBe(1);
          if (error === undefined) expect(text).toBe(String(id));
        }
        await transport.close(0);
        expect(listeners.map(({ ends }) => ends)).toEqual(all.map(() => 1));
      },
    ),
    { numRuns: 60 },
  );
}, 30_000);
