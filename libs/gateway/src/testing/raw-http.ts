/** Raw sockets on both sides of a gateway: tests say byte by byte what is sent, and see what arrives. */
import {
  createServiceClient,
  type Resolution,
  type ServiceClient,
  type ServiceClientOptions,
} from '@mesh/service-client';
import Fastify, { type FastifyInstance } from 'fastify';
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { proxyRoutes, type ProxyRoutesOptions } from '../proxy.ts';

/** What a test has opened, in order. */
export const cleanups: (() => unknown)[] = [];

/** Closes what a test has opened; for `afterEach`. */
export async function cleanUp(): Promise<void> {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
}

export interface Upstream extends Listening {
  /** Everything that came in, connection after connection. */
  readonly received: () => string;
  readonly connections: readonly Socket[];
}

/** A TCP server that listens. */
export interface Listening {
  readonly port: number;
  /** Closes it with all its connections; {@link cleanUp} does so too. */
  readonly close: () => Promise<void>;
}

/** A TCP server that does with each connection what the test says. */
export async function listenRaw(serve: (socket: Socket) => void): Promise<Listening> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined).on('close', () => sockets.delete(socket));
    serve(socket);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const close = async (): Promise<void> => {
    for (const socket of sockets) socket.destroy();
    if (server.listening) await new Promise((resolve) => server.close(resolve));
  };
  cleanups.push(close);
  return { port: (server.address() as AddressInfo).port, close };
}

/** An instance that answers as the test says, byte by byte; `respond` is called once for each request head. */
export async function upstream(respond: (socket: Socket, head: string) => void): Promise<Upstream> {
  const chunks: Buffer[] = [];
  const connections: Socket[] = [];
  const listening = await listenRaw((socket) => {
    connections.push(socket);
    let text = '';
    socket.on('data', (chunk: Buffer) => {
      chunks.push(chunk);
      // Of a long body only the end may belong to a head.
      text = text.slice(-65_536) + chunk.toString('latin1');
      for (let end = text.indexOf('\r\n\r\n'); end !== -1; end = text.indexOf('\r\n\r\n')) {
        const head = text.slice(0, end + 4);
        text = text.slice(end + 4);
        // A body may stand before it.
        const [request] = /[A-Z]+ \S+ HTTP\/1\.1\r\n[^]*$/.exec(head) ?? [];
        if (request !== undefined) respond(socket, request);
      }
    });
  });
  return { ...listening, received: () => Buffer.concat(chunks).toString('latin1'), connections };
}

export const ok = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';

export function answering(answer: string): Promise<Upstream> {
  return upstream((socket) => {
    socket.write(answer, 'latin1');
  });
}

/** A client of the mesh that knows these services, one instance each; it never tries again. */
export function meshClient(
  ports: Record<string, number>,
  options: Partial<ServiceClientOptions> = {},
): ServiceClient {
  const resolutions = new Map<string, Resolution>();
  const resolve = (name: string): Resolution => {
    const port = Object.hasOwn(ports, name) ? ports[name] : undefined;
    const key = `${name}:${port}`;
    const instances = port === undefined ? [] : [{ id: `${name}-1`, host: '127.0.0.1', port }];
    if (!resolutions.has(key)) resolutions.set(key, { instances });
    return resolutions.get(key) as Resolution;
  };
  const discovery = { peek: resolve, resolve: (name: string) => Promise.resolve(resolve(name)) };
  const client = createServiceClient({ discovery, retry: { maxRetries: 0 }, ...options });
  cleanups.push(() => client.close(0));
  return client;
}

export async function gateway(
  ports: Record<string, number>,
  options: Partial<ProxyRoutesOptions> = {},
  prepare: (app: FastifyInstance) => void = () => undefined,
): Promise<number> {
  const app = Fastify({ forceCloseConnections: true });
  prepare(app);
  await app.register(proxyRoutes, { client: meshClient(ports), dynamicPrefix: '/api', ...options });
  await app.listen({ port: 0, host: '127.0.0.1' });
  cleanups.push(() => app.close());
  return (app.server.address() as AddressInfo).port;
}

export interface Client {
  readonly socket: Socket;
  readonly text: () => string;
  /** Resolves when the text so far matches; rejects when the connection ends before. */
  readonly until: (pattern: RegExp) => Promise<string>;
  readonly closed: Promise<string>;
}

export async function client(port: number, request = ''): Promise<Client> {
  const socket = connect(port, '127.0.0.1');
  let text = '';
  socket.on('error', () => undefined);
  socket.on('data', (chunk) => {
    text += chunk.toString('latin1');
    socket.emit('text');
  });
  // Not `once`: a reset is an end as well.
  const closed = new Promise<string>((resolve) => {
    socket.once('close', () => {
      resolve(text);
    });
  });
  const cleanup = (): unknown => socket.destroy();
  cleanups.push(cleanup);
  socket.once('close', () => {
    if (cleanups.includes(cleanup)) cleanups.splice(cleanups.indexOf(cleanup), 1);
  });
  await once(socket, 'connect');
  socket.write(request, 'latin1');
  const until = async (pattern: RegExp): Promise<string> => {
    while (!pattern.test(text)) {
      if (socket.destroyed) throw new Error(`closed before ${String(pattern)}: ${JSON.stringify(text)}`);
      await Promise.race([once(socket, 'text'), closed]);
    }
    return text;
  };
  return { socket, text: () => text, until, closed };
}

/** When {@link exchange} is over, if the gateway does not close the connection. */
export interface ExchangeOptions {
  /** So many final answers. Default: any number. */
  readonly answers?: number;
  /** Longest wait, in ms (default 4000). */
  readonly waitMs?: number;
}

/** Writes bytes on a connection of its own, and gives everything that came back. */
export async function exchange(port: number, bytes: string, options: ExchangeOptions = {}): Promise<string> {
  const { answers = Infinity, waitMs = 4_000 } = options;
  const { socket, text, closed } = await client(port, bytes);
  const timer = setTimeout(() => socket.destroy(), waitMs);
  socket.on('text', () => {
    // What the same turn still brings is part of it.
    if (statusesOf(text()).length >= answers) setTimeout(() => socket.destroy(), 5);
  });
  const all = await closed;
  clearTimeout(timer);
  return all;
}

/** Status codes of the answers in what came back, interim ones left out. */
export function statusesOf(text: string): number[] {
  return [...text.matchAll(/HTTP\/1\.1 (\d{3})/g)]
    .map(([, status]) => Number(status))
    .filter((status) => status >= 200);
}

export function get(path: string, ...headers: string[]): string {
  return [`GET ${path} HTTP/1.1`, 'Host: shop.example', 'Connection: close', ...headers, '', ''].join('\r\n');
}

export function problemOf(answer: string): { status: number; code: string; retryAfter: string | undefined } {
  const [head = '', body = ''] = answer.split('\r\n\r\n');
  assert.match(head, /^content-type: application\/problem\+json/im);
  const { status, code } = JSON.parse(body) as { status: number; code: string };
  assert.deepEqual(statusesOf(head), [status]);
  return { status, code, retryAfter: /^retry-after: (.*)$/im.exec(head)?.[1]?.trim() };
}

/** The lines of an answer or of what an upstream received that start with a header name, whatever its case. */
export function linesOf(text: string, name: string): string[] {
  return text.split('\r\n').filter((line) => line.toLowerCase().startsWith(`${name}:`));
}

/** One turn of the event loop. */
export function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** Waits for what other turns do; a test that waits in vain ends by itself. */
export async function eventually(isTrue: () => boolean): Promise<void> {
  const deadline = performance.now() + 20_000;
  while (!isTrue()) {
    if (performance.now() > deadline) throw new Error(`waited in vain for ${isTrue.toString()}`);
    await turn();
  }
}
