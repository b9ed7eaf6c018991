import { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { TLSSocket } from 'node:tls';
import type { Watch, Watched } from './watch.ts';
import { wholeNumber } from '../range.ts';

/** Limits of {@link Tunnels}. */
export interface TunnelOptions {
  /** Most tunnels that are open at a time; an upgrade above it is answered with 503. Default 10 000. */
  readonly maxTunnels?: number;
  /** How long a tunnel may carry nothing in either direction, in ms, before it is closed; 0 for ever. Default 300 000. */
  readonly tunnelIdleTimeoutMs?: number;
}

/** A connection, as far as a tunnel needs it: `net.Socket` and `tls.TLSSocket` fit. */
export interface TunnelEnd extends Duplex {
  readonly bytesRead?: number;
}

/** How long both sides of a tunnel may take to close it when the gateway goes away, in ms. */
const closeGraceMs = 1_000;

/** The open tunnels of a gateway: two connections each, whose bytes are passed on as they are, both ways. */
export class Tunnels {
  readonly #open = new Set<Tunnel>();
  readonly #watch: Watch;
  readonly #maxTunnels: number;
  readonly #idleTimeoutMs: number;
  #isClosing = false;

  /** @throws RangeError when an option is out of range. */
  constructor(watch: Watch, { maxTunnels = 10_000, tunnelIdleTimeoutMs = 300_000 }: TunnelOptions = {}) {
    this.#watch = watch;
    this.#maxTunnels = wholeNumber('gateway: maxTunnels', maxTunnels);
    this.#idleTimeoutMs = wholeNumber('gateway: tunnelIdleTimeoutMs', tunnelIdleTimeoutMs);
  }

  /** Open tunnels. */
  get size(): number {
    return this.#open.size;
  }

  /** Whether one more may be opened. */
  get hasRoom(): boolean {
    return !this.#isClosing && this.#open.size < this.#maxTunnels;
  }

  /** Joins two connections; `onEnd` is called once, when both are gone. */
  join(client: TunnelEnd, instance: TunnelEnd, onEnd: () => void): void {
    const tunnel = new Tunnel(client, instance, { watch: this.#watch, idleTimeoutMs: this.#idleTimeoutMs });
    this.#open.add(tunnel);
    tunnel.start(() => {
      this.#open.delete(tunnel);
      onEnd();
    });
    if (this.#isClosing) tunnel.end();
  }

  /** Ends all tunnels, and cuts off within a second those whose sides do not close. */
  close(): void {
    this.#isClosing = true;
    for (const tunnel of this.#open) tunnel.end();
    setTimeout(() => {
      for (const tunnel of this.#open) tunnel.destroy();
    }, closeGraceMs).unref();
  }
}

/** Two connections that are one. */
class Tunnel implements Watched {
  readonly #client: TunnelEnd;
  readonly #instance: TunnelEnd;
  readonly #limits: { readonly watch: Watch; readonly idleTimeoutMs: number };
  #carried = 0;
  #activeAt = 0;

  constructor(
    client: TunnelEnd,
    instance: TunnelEnd,
    limits: { readonly watch: Watch; readonly idleTimeoutMs: number },
  ) {
    this.#client = client;
    this.#instance = instance;
    this.#limits = limits;
  }

  start(onEnd: () => void): void {
    const [client, instance] = [this.#client, this.#instance];
    let left = 2;
    for (const [one, other] of [
      [client, instance],
      [instance, client],
    ] as const) {
      // A side that has said everything may still listen.
      one.allowHalfOpen = true;
      one.on('error', ignore);
      one.once('close', () => {
        closeAfter(one, other);
        if (--left > 0) return;
        this.#limits.watch.remove(this);
        onEnd();
      });
    }
    // The pipes hold the faster side back, and pass the end of each direction on by itself.
    client.pipe(instance).pipe(client);
    this.#limits.watch.add(this);
    this.#activeAt = this.#limits.watch.nowMs;
    // One of them may have gone while the other was being made.
    if (client.destroyed || instance.destroyed) this.destroy();
  }

  /** Idle is told by the counters of the sockets, so that a chunk costs nothing extra. */
  check(nowMs: number): void {
    const carried = (this.#client.bytesRead ?? 0) + (this.#instance.bytesRead ?? 0);
    if (carried !== this.#carried) {
      this.#carried = carried;
      this.#activeAt = nowMs;
    } else if (this.#limits.idleTimeoutMs > 0 && nowMs - this.#activeAt >= this.#limits.idleTimeoutMs) {
      this.destroy();
    }
  }

  end(): void {
    this.#client.end();
    this.#instance.end();
  }

  destroy(): void {
    this.#client.destroy();
    this.#instance.destroy();
  }
}

/** What one side sent before it closed still goes out on the other. After a reset, or in the middle of a direction, nothing is left to say. */
function closeAfter(closed: TunnelEnd, other: TunnelEnd): void {
  if (closed.errored !== null || !closed.readableEnded) reset(other);
  else
    other.end(() => {
      other.destroy();
    });
}

/** Breaks a connection off so that its peer sees that it broke; TLS knows no reset of its own. */
function reset(socket: TunnelEnd): void {
  if (socket instanceof Socket && !(socket instanceof TLSSocket)) socket.resetAndDestroy();
  else socket.destroy();
}

function ignore(): void {
  // The close that follows says it all.
}
