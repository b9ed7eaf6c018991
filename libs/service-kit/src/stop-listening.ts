import { Server as NetServer, type Socket } from 'node:net';

/** A turn of the event loop that is shorter has done nothing, in ms. */
const idleTurnMs = 0.05;

/** How long a busy process looks for an idle turn, in ms. */
const searchMs = 100;

/**
 * Stops a server from listening without losing a connection.
 *
 * The kernel accepts before the process does, and resets those who wait in its queue when the door closes: their requests would be
 * lost, where a moment later they would have been refused and could go elsewhere. So the door closes in a turn of the event loop in
 * which nobody was accepted and nothing was done, or after 100 ms. Who comes during the search is served after it; otherwise
 * answers would bring new connections in for ever.
 *
 * Open connections stay as they are; later calls of `server.close` wait for their end and do nothing else.
 *
 * @returns when it does not listen any more.
 */
export async function stopListening(server: NetServer): Promise<void> {
  const held = holdNewcomers(server);
  await idleTurn(held);
  const ended = new Promise<void>((resolve) => {
    // That of HTTP would close idle connections, on some of which a request may be on its way.
    NetServer.prototype.close.call(server, () => {
      resolve();
    });
  });
  server.close = (callback) => {
    void ended.then(() => callback?.());
    return server;
  };
  for (const socket of held) socket.resume();
}

/** Connections that are accepted from now on and not read from. */
function holdNewcomers(server: NetServer & { pauseOnConnect?: boolean }): ReadonlySet<Socket> {
  const held = new Set<Socket>();
  server.pauseOnConnect = true;
  server.on('connection', (socket) => {
    held.add(socket);
  });
  return held;
}

/** Resolves just after the phase of the event loop in which connections are accepted. */
function idleTurn(held: ReadonlySet<Socket>): Promise<void> {
  const endAt = performance.now() + searchMs;
  let lookedAt = -Infinity;
  let accepted = 0;
  return new Promise((resolve) => {
    const look = (): void => {
      const now = performance.now();
      const isIdle = held.size === accepted && now - lookedAt < idleTurnMs;
      lookedAt = now;
      accepted = held.size;
      if (isIdle || now >= endAt) resolve();
      else setImmediate(look);
    };
    setImmediate(look);
  });
}
