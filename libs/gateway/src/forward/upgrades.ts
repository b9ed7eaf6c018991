import type { FastifyInstance } from 'fastify';
import { ServerResponse, type IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { valuesOf } from './hop-headers.ts';
import { takeEvent } from './server-events.ts';

/** Handshakes that wait for their answer, with the way to take their connection. */
const handshakes = new WeakMap<object, () => Duplex>();

/** Whether a request is a handshake that {@link acceptUpgrades} has let in. */
export function isHandshake(request: IncomingMessage): boolean {
  return handshakes.has(request);
}

/** The connection of a handshake for its new protocol, with what the client has sent ahead; undefined when it is none, or is taken. */
export function takeConnection(request: IncomingMessage): Duplex | undefined {
  const take = handshakes.get(request);
  handshakes.delete(request);
  return take?.();
}

/**
 * Takes the WebSocket handshakes of a server that `owns` says yes to, and sends them through Fastify's routes, hooks included, as the
 * requests they are. All others go to who else listens (such as `@fastify/websocket`); when there is nobody, and for any other protocol, they are
 * ordinary requests, as they are for a server that knows no upgrade at all (RFC 9110, 7.8).
 */
export function acceptUpgrades(app: FastifyInstance, owns: (request: IncomingMessage) => boolean): void {
  const { server } = app;
  takeEvent(app, 'upgrade', (others) => {
    // Node 24.9 and later ask before they take a request out of the ordinary way.
    if ('shouldUpgradeCallback' in server && others.length === 0) {
      server.shouldUpgradeCallback = (request: IncomingMessage) => isWebSocket(request) && owns(request);
    }
    return (request: IncomingMessage, socket: Socket, head: Buffer) => {
      if (isWebSocket(request) && owns(request)) route(app, request, socket, head);
      else if (others.length === 0) withoutUpgrade(server, request, socket, head);
      else for (const other of others) other.call(server, request, socket, head);
    };
  });
}

/** A handshake of RFC 6455: a GET without a body. */
function isWebSocket({ method, rawHeaders }: IncomingMessage): boolean {
  const protocols = valuesOf(rawHeaders, 'upgrade').join().toLowerCase().split(',');
  if (method !== 'GET' || !protocols.some((protocol) => protocol.trim() === 'websocket')) return false;
  const lengths = valuesOf(rawHeaders, 'content-length');
  return valuesOf(rawHeaders, 'transfer-encoding').length === 0 && lengths.every((length) => length === '0');
}

function route(app: FastifyInstance, request: IncomingMessage, socket: Socket, head: Buffer): void {
  const response = new ServerResponse(request);
  const unwatch = watchEnd(socket, head);
  handshakes.set(request, () => {
    unwatch();
    response.detachSocket(socket);
    return socket;
  });
  // Whatever is answered but 101 is the last on this connection.
  response.shouldKeepAlive = false;
  response.assignSocket(socket);
  response.once('finish', () => {
    response.detachSocket(socket);
    response.emit('close');
    socket.end(() => socket.destroy());
  });
  app.routing(request, response);
}

/** Node stops reading a connection at a handshake; a client that leaves before its answer would not be noticed. */
function watchEnd(socket: Socket, head: Buffer): () => void {
  // Node has taken its own listeners off, and an error that nobody hears ends the process.
  socket.on('error', ignore);
  if (head.length > 0) socket.unshift(head);
  const look = (): void => void socket.read(0);
  const leave = (): void => void socket.destroy();
  socket.on('readable', look).once('end', leave);
  return () => {
    socket.off('readable', look).off('end', leave);
  };
}

/** Gives the connection back to the server as if the request had not asked for anything: what Node before 24.9 needs. */
function withoutUpgrade(
  server: FastifyInstance['server'],
  request: IncomingMessage,
  socket: Socket,
  head: Buffer,
): void {
  const { method, url, httpVersion, rawHeaders } = request;
  let text = `${method ?? 'GET'} ${url ?? '/'} HTTP/${httpVersion}\r\n`;
  for (let at = 0; at + 1 < rawHeaders.length; at += 2) {
    const name = rawHeaders[at] ?? '';
    const value = rawHeaders[at + 1] ?? '';
    if (name.toLowerCase() === 'upgrade') continue;
    text += `${name}: ${name.toLowerCase() === 'connection' ? withoutToken(value) : value}\r\n`;
  }
  socket.unshift(Buffer.concat([Buffer.from(`${text}\r\n`, 'latin1'), head]));
  server.emit('encrypted' in socket ? 'secureConnection' : 'connection', socket);
}

function withoutToken(value: string): string {
  const tokens = value.split(',').filter((token) => token.trim().toLowerCase() !== 'upgrade');
  return tokens.length === 0 ? 'keep-alive' : tokens.join(',').trim();
}

function ignore(): void {
  // The close that follows says it all.
}
