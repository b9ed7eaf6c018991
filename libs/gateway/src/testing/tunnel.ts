import { createHash } from 'node:crypto';
import type { Socket } from 'node:net';
import { cleanups, client, gateway, meshClient, upstream } from './raw-http.ts';

/** `Sec-WebSocket-Key` of the handshakes here. */
export const key = 'dGhlIHNhbXBsZSBub25jZQ==';

/** The head of a handshake. */
export function handshake(path: string, ...headers: string[]): string {
  return [
    `GET ${path} HTTP/1.1`,
    'Host: shop.example',
    'Connection: Upgrade',
    'Upgrade: websocket',
    `Sec-WebSocket-Key: ${key}`,
    'Sec-WebSocket-Version: 13',
    ...headers,
    '',
    '',
  ].join('\r\n');
}

/** What answers `key`. */
export const accept = createHash('sha1')
  .update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`)
  .digest('base64');

/** The head of an instance that agrees. */
export const switching = `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`;

/** A gateway with a tunnel through it: the client's end, the instance's, and what closes the gateway. */
export async function tunnel(options: Parameters<typeof gateway>[1] = {}) {
  const instance = Promise.withResolvers<Socket>();
  const up = await upstream((socket) => {
    socket.allowHalfOpen = true;
    socket.write(switching);
    instance.resolve(socket);
  });
  const mesh = meshClient({ a: up.port });
  const port = await gateway({}, { client: mesh, ...options });
  const close = cleanups.at(-1) as () => Promise<void>;
  const near = await client(port, handshake('/api/a/chat'));
  await near.until(/\r\n\r\n/);
  return { near, far: await instance.promise, up, mesh, port, close };
}
