import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { Agent, buildConnector, Client, errors, Pool, type Dispatcher } from 'undici';
import type { TlsOptions } from './tls-options.ts';
import {
  originOf,
  type Address,
  type Peer,
  type Sink,
  type Transport,
  type TransportRequest,
} from './transport.ts';

/** Options of {@link UndiciTransport}. */
export interface UndiciTransportOptions {
  /** Longest time to connect, TLS included, in milliseconds. */
  readonly connectTimeoutMs: number;
  /** Most connections to one address; further requests wait. */
  readonly maxConnections: number;
  readonly tls: TlsOptions | undefined;
  /** Whether HTTP/2 is spoken with instances that offer it. */
  readonly allowH2: boolean;
}

type Connect = buildConnector.connector;

/** Most bytes of an answer's head: cookies and policies outgrow undici's own 16 KiB. */
const maxHeaderSize = 64 * 1024;

/** Requests over undici: one pool for each address, held directly by the instances that are there. */
export class UndiciTransport implements Transport {
  readonly #options: Pool.Options;
  readonly #reused = new WeakSet<Error>();
  readonly #peers = new Map<string, UndiciPeer>();
  /** Everything that has connections, peers that were released included. */
  readonly #open = new Set<Dispatcher>();
  #agent: Agent | undefined;
  #closing: Promise<unknown> | undefined;

  constructor({ connectTimeoutMs, maxConnections, tls, allowH2 }: UndiciTransportOptions) {
    this.#options = {
      connect: this.#watched(buildConnector({ ...tls, allowH2, timeout: connectTimeoutMs })),
      connections: maxConnections,
      maxHeaderSize,
      allowH2,
    };
  }

  open(address: Address): Peer {
    const origin = originOf(address);
    let peer = this.#peers.get(origin);
    if (peer === undefined) {
      peer = new UndiciPeer(origin, this.#options, {
        reused: this.#reused,
        open: this.#open,
        forget: () => this.#peers.delete(origin),
      });
      this.#peers.set(origin, peer);
      if (this.#closing !== undefined) void peer.close();
    }
    peer.users += 1;
    return peer;
  }

  /** Sends a request to a fixed origin, as undici's agent does. */
  dispatch(options: Dispatcher.DispatchOptions, handler: Dispatcher.DispatchHandler): boolean {
    if (this.#closing !== undefined) throw new errors.ClientDestroyedError();
    this.#agent ??= new Agent(this.#options);
    this.#open.add(this.#agent);
    return this.#agent.dispatch(options, handler);
  }

  async close(graceMs: number): Promise<void> {
    this.#closing ??= Promise.allSettled([...this.#open].map((each) => each.close()));
    const timer = setTimeout(() => {
      for (const each of this.#open) void each.destroy();
    }, graceMs).unref();
    await this.#closing;
    clearTimeout(timer);
  }

  /** Undici does not tell on which connection an error came; a reset of one that has answered before is no sign of a sick instance. */
  #watched(connect: Connect): Connect {
    return (options, callback) => {
      connect(options, (...result: Parameters<typeof callback>) => {
        const socket: Socket | TLSSocket | null = result[1];
        socket?.on('error', (error: Error) => {
          if (socket.bytesRead > 0) this.#reused.add(error);
        });
        callback(...result);
      });
    };
  }
}

interface Upkeep {
  readonly reused: WeakSet<Error>;
  readonly open: Set<Dispatcher>;
  readonly forget: () => void;
}

class UndiciPeer implements Peer {
  /** Instances at this address. */
  users = 0;
  readonly #origin: string;
  readonly #options: Pool.Options;
  readonly #upkeep: Upkeep;
  readonly #pool: Pool;

  constructor(origin: string, options: Pool.Options, upkeep: Upkeep) {
    this.#origin = origin;
    this.#options = options;
    this.#upkeep = upkeep;
    this.#pool = new Pool(origin, options);
    upkeep.open.add(this.#pool);
  }

  send(request: TransportRequest, sink: Sink, fresh: boolean): void {
    if (fresh) this.#sendAlone(request, sink);
    else this.#pool.dispatch(request as Dispatcher.DispatchOptions, sink);
  }

  wasReused(error: Error): boolean {
    const { socket } = error as { socket?: { bytesRead?: number } };
    return (socket?.bytesRead ?? 0) > 0 || this.#upkeep.reused.has(error);
  }

  release(): void {
    this.users -= 1;
    if (this.users > 0) return;
    this.#upkeep.forget();
    void this.close();
  }

  async close(): Promise<void> {
    await closed(this.#pool);
    this.#upkeep.open.delete(this.#pool);
  }

  /** On a connection of its own, which ends with the answer. */
  #sendAlone(request: TransportRequest, sink: Sink): void {
    const { open } = this.#upkeep;
    const { connect, allowH2 } = this.#options;
    const client = new Client(this.#origin, { connect, allowH2, maxHeaderSize } as Client.Options);
    open.add(client);
    client.dispatch({ ...request, reset: true } as Dispatcher.DispatchOptions, sink);
    void closed(client).then(() => open.delete(client));
  }
}

const closed = async (dispatcher: Dispatcher): Promise<void> => {
  try {
    await dispatcher.close();
  } catch {
    // It was closed or destroyed before: that is what was wanted.
  }
};
