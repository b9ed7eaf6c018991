import { platformTimers, type Timers } from '@mesh/resilience';
import { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { TLSSocket } from 'node:tls';
import { wholeNumber } from '../range.ts';
import { TunnelDirection } from './tunnel-direction.ts';
import type { Watch, Watched } from './watch.ts';
import { goingAway } from './websocket-frames.ts';

/** Limits of {@link Tunnels}. */
export interface TunnelOptions {
  /** Most tunnels that are open at a time; an upgrade above it is answered with 503. Default 10 000. */
  readonly maxTunnels?: number;
  /** How long a tunnel may carry nothing in either direction, in ms, before it is closed; 0 for ever. Default 300 000. */
  readonly tunnelIdleTimeoutMs?: number;
  /** Time over which tunnels are told that the gateway closes, one after the other, in ms. Default 300. */
  readonly tunnelCloseMs?: number;
  /** How long both sides of a tunnel may take to close it after that, in ms, before they are cut off. Default 1 000. */
  readonly tunnelGraceMs?: number;
}

/** A connection, as far as a tunnel needs it: `net.Socket` and `tls.TLSSocket` fit. */
export interface TunnelEnd extends Duplex {
  readonly bytesRead?: number;
}

/** How often some are told to close, in ms. */
const stepMs = 10;

/** What all tunnels of a gateway share. */
interface TunnelSettings {
  readonly watch: Watch;
  readonly timers: Timers;
  readonly idleTimeoutMs: number;
  readonly graceMs: number;
}

/** The open tunnels of a gateway: two connections each, whose bytes are passed on as they are, both ways. */
export class Tunnels {
  readonly #open = new Set<Tunnel>();
  readonly #settings: TunnelSettings;
  readonly #maxTunnels: number;
  readonly #closeMs: number;
  #isClosing = false;
  #step: unknown;

  /** @throws RangeError when an option is out of range. */
  constructor(watch: Watch, options: TunnelOptions = {}, timers: Timers = platformTimers) {
    const { maxTunnels = 10_000, tunnelIdleTimeoutMs = 300_000 } = options;
    const { tunnelCloseMs = 300, tunnelGraceMs = 1_000 } = options;
    this.#maxTunnels = wholeNumber('gateway: maxTunnels', maxTunnels);
    this.#closeMs = wholeNumber('gateway: tunnelCloseMs', tunnelCloseMs);
    this.#settings = {
      watch,
      timers,
      idleTimeoutMs: wholeNumber('gateway: tunnelIdleTimeoutMs', tunnelIdleTimeoutMs),
      graceMs: wholeNumber('gateway: tunnelGraceMs', tunnelGraceMs),
    };
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
    const tunnel = new Tunnel(client, instance, this.#settings);
    this.#open.add(tunnel);
    tunnel.start(() => {
      this.#open.delete(tunnel);
      if (this.#open.size === 0) this.#settings.timers.clear(this.#step);
      onEnd();
    });
    if (this.#isClosing) tunnel.goAway();
  }

  /**
   * Tells both sides of every tunnel that the gateway goes away, so that they can close it in their own time; spread, so that the clients do
   * not all come back in the same moment.
   */
  close(): void {
    if (this.#isClosing) return;
    this.#isClosing = true;
    const all = [...this.#open];
    const perStep = this.#closeMs < stepMs ? all.length : Math.ceil((all.length * stepMs) / this.#closeMs);
    const tellFrom = (at: number): void => {
      for (const tunnel of all.slice(at, at + perStep)) tunnel.goAway();
      const next = at + perStep;
      if (next < all.length)
        this.#step = this.#settings.timers.set(() => {
          tellFrom(next);
        }, stepMs);
    };
    tellFrom(0);
  }
}

/** Two connections that are one. */
class Tunnel implements Watched {
  readonly #client: TunnelEnd;
  readonly #instance: TunnelEnd;
  readonly #settings: TunnelSettings;
  readonly #toInstance: TunnelDirection;
  readonly #toClient: TunnelDirection;
  #carried = 0;
  #activeAt = 0;
  #isLeaving = false;
  #isOver = false;
  #grace: unknown;

  constructor(client: TunnelEnd, instance: TunnelEnd, settings: TunnelSettings) {
    this.#client = client;
    this.#instance = instance;
    this.#settings = settings;
    this.#toInstance = new TunnelDirection(client, instance);
    this.#toClient = new TunnelDirection(instance, client);
  }

  start(onEnd: () => void): void {
    const [client, instance] = [this.#client, this.#instance];
    const { watch, timers } = this.#settings;
    let left = 2;
    for (const [one, other] of [
      [client, instance],
      [instance, client],
    ] as const) {
      // A side that has said everything may still listen.
      one.allowHalfOpen = true;
      one.on('error', ignore);
      one.once('close', () => {
        // Who was told to go may have its last frame on the way: it ends in its own time.
        if (this.#isLeaving) other.end();
        else closeAfter(one, other);
        if (--left > 0) return;
        this.#isOver = true;
        watch.remove(this);
        timers.clear(this.#grace);
        onEnd();
      });
    }
    this.#toInstance.start();
    this.#toClient.start();
    watch.add(this);
    this.#activeAt = watch.nowMs;
    // One of them may have gone while the other was being made.
    if (client.destroyed || instance.destroyed) this.destroy();
  }

  /** Idle is told by the counters of the sockets, so that a chunk costs nothing extra. */
  check(nowMs: number): void {
    const { idleTimeoutMs } = this.#settings;
    const carried = (this.#client.bytesRead ?? 0) + (this.#instance.bytesRead ?? 0);
    if (carried !== this.#carried) {
      this.#carried = carried;
      this.#activeAt = nowMs;
    } else if (idleTimeoutMs > 0 && nowMs - this.#activeAt >= idleTimeoutMs) {
      this.destroy();
    }
  }

  /** Tells both sides (1001), each behind the frame that is under way to it, and cuts off what is still open after the grace. */
  goAway(): void {
    if (this.#isLeaving || this.#isOver) return;
    this.#isLeaving = true;
    this.#toClient.endWith(goingAway(false));
    this.#toInstance.endWith(goingAway(true));
    this.#grace = this.#settings.timers.set(() => {
      this.destroy();
    }, this.#settings.graceMs);
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
