import type { Socket } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import {
  cleanUp,
  client,
  exchange,
  gateway,
  get,
  meshClient,
  upstream,
  type Client,
  type Upstream,
} from '../raw-http.ts';

/** One thing that a proxy must do when it is not asked nicely: raw sockets on both sides, byte by byte. */
export interface Probe {
  readonly name: string;
  /** What the instance does: writes these bytes for every request, or what a function says. Default: nothing, whatever comes. */
  readonly instance?: string | ((socket: Socket, head: string) => void);
  /** How often the proxy may try again, if it can be told. Default 0. */
  readonly maxRetries?: number;
  /** What is sent, and what must hold. @throws Error when it does not. */
  readonly holds: (scene: Scene) => Promise<void>;
}

/** A proxy before one instance. What the proxy is asked for is below `/items`, and so it is at the instance. */
export interface Scene {
  readonly up: Upstream;
  /** Sends `GET /items` with these header lines; resolves with the whole answer. */
  readonly ask: (...lines: string[]) => Promise<string>;
  /** Sends these bytes; resolves with everything that comes back until the proxy closes the connection. */
  readonly exchange: (bytes: string) => Promise<string>;
  /** A connection on which these bytes were sent. */
  readonly open: (bytes: string) => Promise<Client>;
  readonly port: number;
}

/** Starts a proxy before the instance at a port of this machine; resolves with the proxy's port. `cleanUp` ends it. */
export type StartProxy = (instance: number, wishes: { readonly maxRetries: number }) => Promise<number>;

/** Ours. */
export const startGateway: StartProxy = (instance, retry) =>
  gateway(
    {},
    {
      client: meshClient({ items: instance }, { retry }),
      routes: [{ prefix: '/items', service: 'items' }],
      bodyLimit: 1024 * 1024 * 1024,
    },
  );

export const plain = 'GET /items HTTP/1.1\r\nHost: h\r\n\r\n';

/** A POST with two bytes of body, or only its head. */
export const post = (body = 'hi', ...lines: string[]): string =>
  get('/items', ...lines, 'Content-Length: 2').replace('GET', 'POST') + body;

/** Probes a proxy, and closes everything. @throws Error with what did not hold, also when it takes longer than `waitMs`. */
export async function runProbe(probe: Probe, start: StartProxy, waitMs: number): Promise<void> {
  const { instance = () => undefined, maxRetries = 0 } = probe;
  try {
    const up = await upstream(
      typeof instance === 'string' ? (socket) => socket.write(instance, 'latin1') : instance,
    );
    const port = await start(up.port, { maxRetries });
    const scene: Scene = {
      ...{ up, port },
      ask: (...lines) => exchange(port, get('/items', ...lines), { waitMs }),
      exchange: (bytes) => exchange(port, bytes, { waitMs }),
      open: (bytes) => client(port, bytes),
    };
    const late = new AbortController();
    await Promise.race([
      probe.holds(scene),
      pause(waitMs, undefined, { signal: late.signal }).then(() => {
        throw new Error(`nothing happened in ${waitMs} ms`);
      }),
    ]).finally(() => {
      late.abort();
    });
  } finally {
    await cleanUp();
  }
}

/** Resolves when a connection is closed. */
export async function gone(socket: Socket | undefined): Promise<void> {
  if (socket?.destroyed === false) await new Promise((resolve) => socket.once('close', resolve));
}

/** How many requests of a method came. */
export const hits = (received: string, method: string): number => received.split(`${method} /`).length - 1;

/** The lines among these that came, in the order in which they came. */
export const linesAmong = (text: string, lines: readonly string[]): string[] =>
  text.split('\r\n').filter((line) => lines.includes(line));
