import { errors } from 'undici';
import type { Peer, Sink, TransportRequest } from '../transport.ts';
import { Connection, type Keeper } from './connection.ts';
import { Exchange } from './exchange.ts';
import { FieldLines } from './field-lines.ts';
import type { Destination } from './open-socket.ts';
import { isUpgrade } from './request-head.ts';
import { WaitingLine } from './waiting-line.ts';

/** What a peer needs of the transport. */
export interface PeerUpkeep {
  readonly destination: Destination;
  readonly maxConnections: number;
  /** Where all connections read into. */
  readonly buffer: Buffer;
  /** Seconds, counted by the transport. */
  readonly clock: { readonly seconds: number };
  /** Nothing is open here any more, and nothing will be. */
  readonly onEmpty: (peer: Http1Peer) => void;
}

/**
 * The connections to one address. A request takes the connection that became free last, which is the least likely to be closed meanwhile, or
 * waits in line for the next one that opens or becomes free.
 */
export class Http1Peer implements Peer, Keeper {
  /** Instances at this address. */
  users = 0;
  readonly lines = new FieldLines();
  readonly #upkeep: PeerUpkeep;
  readonly #open = new Set<Connection>();
  /** Those that are free, the newest last. */
  readonly #free: Connection[] = [];
  readonly #waiting = new WaitingLine();
  readonly #broken = new WeakSet<Error>();
  #connecting = 0;
  #isClosing = false;
  #session: Buffer | undefined;

  constructor(upkeep: PeerUpkeep) {
    this.#upkeep = upkeep;
  }

  get buffer(): Buffer {
    return this.#upkeep.buffer;
  }

  /** Whether it takes no more requests. */
  get isClosing(): boolean {
    return this.#isClosing;
  }

  send(request: TransportRequest, sink: Sink, fresh: boolean): void {
    const exchange = new Exchange(request, sink);
    if (this.#isClosing) {
      exchange.refuse(new errors.ClientDestroyedError());
      return;
    }
    if (fresh || isUpgrade(request)) {
      this.#connect(exchange);
      return;
    }
    const free = this.#free.pop();
    if (free === undefined) {
      this.#waiting.add(exchange);
      this.#grow();
    } else if (!free.run(exchange)) this.#serve(free);
  }

  wasReused(error: Error): boolean {
    return this.#broken.has(error);
  }

  /** One instance less. */
  release(): void {
    this.users -= 1;
    if (this.users <= 0) this.close();
  }

  /** Takes no more requests; ends with the last of those that were taken. */
  close(): void {
    this.#isClosing = true;
    for (const connection of this.#free.splice(0)) connection.destroy();
    this.#settle();
  }

  /** Cuts everything off. */
  destroy(error: Error): void {
    this.#isClosing = true;
    for (let next = this.#waiting.take(); next !== undefined; next = this.#waiting.take()) next.refuse(error);
    for (const connection of this.#open) connection.destroy(error);
    this.#settle();
  }

  /** Closes what has been free for too long, or for longer than its peer keeps it. */
  sweep(): void {
    const { seconds } = this.#upkeep.clock;
    let kept = 0;
    const overdue: Connection[] = [];
    for (const connection of this.#free) {
      if (seconds - connection.freeSince >= connection.idleSeconds) overdue.push(connection);
      else this.#free[kept++] = connection;
    }
    this.#free.length = kept;
    for (const connection of overdue) connection.destroy();
  }

  onOpen(connection: Connection): void {
    const { meant } = connection;
    connection.meant = undefined;
    if (meant === undefined) this.#connecting--;
    if (meant === undefined || !connection.run(meant)) this.#serve(connection);
  }

  onFree(connection: Connection): void {
    this.#serve(connection);
  }

  onGone(connection: Connection, error: Error | undefined): void {
    this.#open.delete(connection);
    const at = this.#free.indexOf(connection);
    if (at !== -1) this.#free.splice(at, 1);
    if (error !== undefined) this.#failed(connection.meant, error);
    this.#grow();
    this.#settle();
  }

  onBroken(error: Error): void {
    this.#broken.add(error);
  }

  onSession(session: Buffer): void {
    this.#session = session;
  }

  /** Gives a free connection to whoever waits, or keeps it. */
  #serve(connection: Connection): void {
    for (let next = this.#waiting.take(); next !== undefined; next = this.#waiting.take()) {
      if (connection.run(next)) return;
    }
    if (this.#isClosing || this.#open.size > this.#upkeep.maxConnections) {
      connection.destroy();
      return;
    }
    connection.freeSince = this.#upkeep.clock.seconds;
    connection.rest();
    this.#free.push(connection);
  }

  /** Opens a connection for each request that waits for none, as long as there may be more. */
  #grow(): void {
    while (this.#connecting < this.#waiting.size && this.#open.size < this.#upkeep.maxConnections) {
      this.#connecting++;
      this.#connect(undefined);
    }
  }

  /** @param meant the only request that it is for, if it is for one. */
  #connect(meant: Exchange | undefined): void {
    const { destination } = this.#upkeep;
    const { tls } = destination;
    const session = this.#session;
    const resumed =
      tls === undefined || session === undefined ? destination : { ...destination, tls: { ...tls, session } };
    try {
      this.#open.add(new Connection(this, resumed, meant));
    } catch (error) {
      // Options of TLS that make no sense, a port that is none.
      this.#failed(meant, error as Error);
    }
  }

  /** Each connection that cannot be had costs one request: who is left behind asks for another. */
  #failed(meant: Exchange | undefined, error: Error): void {
    if (meant === undefined) this.#connecting--;
    (meant ?? this.#waiting.take())?.refuse(error);
  }

  #settle(): void {
    if (this.#isClosing && this.#open.size === 0 && this.#waiting.size === 0) this.#upkeep.onEmpty(this);
  }
}
