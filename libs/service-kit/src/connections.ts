import { Server as HttpServer, type Server, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { Server as TlsServer, type TLSSocket } from 'node:tls';

/** Node keeps the answer that is under way on a connection here; there is no other way to it from a server. */
interface HttpSocket extends Socket {
  readonly _httpMessage?: ServerResponse | null;
}

interface Quiet {
  bytes: number;
  sweeps: number;
}

/** So many sweeps without a byte, and nobody is about to use a connection: a request that was on its way has arrived. */
const quietSweeps = 3;

/**
 * The connections of a server, to end them without losing a request: one is only closed when it has been quiet for a while, because
 * a request may be on its way on a connection that is idle here. Costs one entry for each connection and nothing for a request.
 */
export class Connections {
  readonly #open = new Set<Socket>();
  /** Those that carry one answer after the other, so that it can be seen whether they carry one now; not those of HTTP/2. */
  readonly #quiet = new Map<HttpSocket, Quiet>();
  readonly #upgraded = new WeakSet<object>();
  readonly #server: Server;
  #seesUpgrades = false;

  /** Call it before the server listens. */
  constructor(server: Server) {
    this.#server = server;
    server.on('connection', this.#add);
    // What is below TLS is busy when what is above it is.
    if (server instanceof TlsServer) server.on('secureConnection', this.#watch);
    else if (server instanceof HttpServer) server.on('connection', this.#watch);
  }

  /** Connections that are open. */
  get size(): number {
    return this.#open.size;
  }

  /** From now on every answer whose head is not out yet says `Connection: close`, that of a hijacked reply too. */
  sayGoodbye(): void {
    this.#server.prependListener('request', (_request, answer: ServerResponse) => {
      answer.shouldKeepAlive = false;
    });
    for (const socket of this.#quiet.keys()) {
      const answer = socket._httpMessage;
      if (answer && !answer.headersSent) answer.shouldKeepAlive = false;
    }
  }

  /** Closes what was idle in this and the last sweeps; upgraded connections are left alone. */
  sweep(): void {
    for (const [socket, quiet] of this.#quiet) {
      const bytes = socket.bytesRead + socket.bytesWritten;
      const isIdle = !socket._httpMessage && !this.#upgraded.has(socket) && bytes === quiet.bytes;
      quiet.bytes = bytes;
      quiet.sweeps = isIdle ? quiet.sweeps + 1 : 0;
      if (quiet.sweeps >= quietSweeps) socket.destroy();
    }
  }

  /** Cuts off all that is open, upgraded connections too. */
  destroy(): void {
    for (const socket of this.#open) socket.destroy();
  }

  /** Who wants upgrades listens by the first connection; a listener of ours alone would make Node believe that somebody does. */
  #seeUpgrades(): void {
    if (this.#seesUpgrades || this.#server.listenerCount('upgrade') === 0) return;
    this.#seesUpgrades = true;
    this.#server.prependListener('upgrade', (_request, socket) => this.#upgraded.add(socket));
  }

  readonly #add = (socket: Socket): void => {
    this.#open.add(socket);
    socket.once('close', () => this.#open.delete(socket));
  };

  readonly #watch = (socket: Socket): void => {
    if ((socket as Partial<TLSSocket>).alpnProtocol === 'h2') return;
    this.#seeUpgrades();
    this.#quiet.set(socket, { bytes: -1, sweeps: 0 });
    socket.once('close', () => this.#quiet.delete(socket));
  };
}
