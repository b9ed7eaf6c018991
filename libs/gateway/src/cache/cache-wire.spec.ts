import { afterEach, expect, test } from '@jest/globals';
import { once } from 'node:events';
import { createServer, type RequestListener, type Server } from 'node:http';
import { connect, type AddressInfo, type Socket } from 'node:net';
import { gunzipSync, gzipSync } from 'node:zlib';
import { through, toPort } from '../testing/http-kit.ts';
import type { CachePolicy } from './cache-policy.ts';
import { ResponseCache } from './response-cache.ts';

const servers: Server[] = [];
const sockets: Socket[] = [];
afterEach(() => {
  for (const socket of sockets.splice(0)) socket.destroy();
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    server.close();
  }
});

async function listen(listener: RequestListener): Promise<number> {
  const server = createServer(listener);
  servers.push(server);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

async function cached(instance: RequestListener, policy: CachePolicy = {}) {
  const cache = new ResponseCache();
  const port = await listen(through(cache.around(policy, toPort(await listen(instance)))));
  return { cache, port };
}

/** Everything that comes until it ends with this, or until the connection ends. */
async function read(socket: Socket, until?: string): Promise<string> {
  let text = '';
  for await (const chunk of socket.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    text += chunk.toString('latin1');
    if (until !== undefined && text.endsWith(until)) break;
  }
  return text;
}

function dial(port: number, text: string): Socket {
  const socket = connect(port, '127.0.0.1');
  sockets.push(socket);
  socket.on('error', () => undefined);
  socket.write(text);
  return socket;
}

const get = (path: string, headers = ''): string => `GET ${path} HTTP/1.1\r\nHost: a\r\n${headers}\r\n`;

test('a hit on the wire: one packet, the bytes of the instance, Age and Cache-Status', async () => {
  let asked = 0;
  const { port } = await cached((_request, response) => {
    asked++;
    response.writeHead(200, [
      'Content-Type',
      'text/plain',
      'Cache-Control',
      'max-age=60',
      'X-Bytes',
      'caf\xe9',
      'Content-Length',
      '5',
    ]);
    response.end(Buffer.from('hello'));
  });
  const first = dial(port, get('/a'));
  expect(await read(first, 'hello')).toContain('Cache-Status: mesh; fwd=uri-miss; stored\r\n');
  const packets: string[] = [];
  first.on('data', (chunk) => packets.push(chunk.toString('latin1')));
  first.resume();
  first.write(get('/a'));
  while (packets.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
  expect(packets).toHaveLength(1);
  const [head, body] = (packets[0] ?? '').split('\r\n\r\n');
  expect(head?.split('\r\n').slice(0, 5)).toEqual([
    'HTTP/1.1 200 OK',
    'Content-Type: text/plain',
    'Cache-Control: max-age=60',
    'X-Bytes: caf\xe9',
    'Content-Length: 5',
  ]);
  expect(head).toMatch(/\r\nAge: 0\r\nCache-Status: mesh; hit; ttl=60\r\n/);
  expect([body, asked]).toEqual(['hello', 1]);
});

test('compressed answers are kept as they are, one for each Accept-Encoding', async () => {
  let asked = 0;
  const { port } = await cached((request, response) => {
    asked++;
    const isZipped = request.headers['accept-encoding'] === 'gzip';
    const body = isZipped ? gzipSync('hello') : Buffer.from('hello');
    response.writeHead(200, {
      'content-length': body.length,
      'cache-control': 'max-age=60',
      vary: 'accept-encoding',
      etag: isZipped ? '"z"' : '"p"',
      ...(isZipped && { 'content-encoding': 'gzip' }),
    });
    response.end(body);
  });
  const ask = async (headers: string): Promise<string> =>
    read(dial(port, get('/a', `${headers}Connection: close\r\n`)));
  for (let round = 0; round < 2; round++) {
    const zipped = await ask('Accept-Encoding: gzip\r\n');
    const [head = '', ...rest] = zipped.split('\r\n\r\n');
    expect(head).toContain('etag: "z"');
    expect(gunzipSync(Buffer.from(rest.join('\r\n\r\n'), 'latin1')).toString()).toBe('hello');
    expect(await ask('')).toMatch(/etag: "p"[^]*hello/);
  }
  expect(asked).toBe(2);
});

test('a body that comes slowly reaches everyone as it comes; a client that leaves takes nothing from the others', async () => {
  let finish = (): void => undefined;
  let asked = 0;
  const { port } = await cached((_request, response) => {
    asked++;
    response.writeHead(200, { 'cache-control': 'max-age=60', 'content-length': '10' });
    response.write('first');
    finish = () => response.end('-last');
  });
  const one = dial(port, get('/a'));
  await read(one, 'first');
  const two = dial(port, get('/a'));
  await read(two, 'first');
  one.destroy();
  await new Promise((resolve) => setTimeout(resolve, 20));
  const rest = read(two, '-last');
  finish();
  expect([await rest, asked]).toEqual(['-last', 1]);
});

test('when the last client has left the instance hears of it', async () => {
  let closed: Promise<unknown> = Promise.resolve();
  const { port } = await cached((_request, response) => {
    closed = once(response, 'close');
    response.writeHead(200, { 'cache-control': 'max-age=60' });
    response.write('first');
  });
  const one = dial(port, get('/a'));
  const two = dial(port, get('/a'));
  await Promise.all([read(one, 'first\r\n'), read(two, 'first\r\n')]);
  one.destroy();
  two.destroy();
  await closed;
});

test('a client that does not read holds neither the answer nor the others up', async () => {
  const body = Buffer.alloc(900_000, 'x');
  const { port, cache } = await cached((_request, response) => {
    response.writeHead(200, { 'cache-control': 'max-age=60', 'content-length': body.length });
    response.end(body);
  });
  const deaf = connect(port, '127.0.0.1');
  sockets.push(deaf);
  deaf.pause();
  deaf.write(get('/a'));
  const quick = await read(dial(port, get('/a', 'Connection: close\r\n')));
  expect(quick.length).toBeGreaterThan(body.length);
  while (cache.getSnapshot().entries === 0) await new Promise((resolve) => setTimeout(resolve, 5));
  let bytes = 0;
  for await (const chunk of deaf.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > body.length) break;
  }
  expect(bytes).toBeGreaterThan(body.length);
});
