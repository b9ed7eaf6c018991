import { errors } from 'undici';
import type { TlsOptions } from '../tls-options.ts';
import { originOf, type Address, type Peer, type Transport } from '../transport.ts';
import { Http1Peer } from './peer.ts';
import { sharedBytes } from './read-buffer.ts';

/** Options of {@link Http1Transport}. */
export interface Http1TransportOptions {
  /** Longest time to connect, TLS included, in milliseconds; 0 = no limit. */
  readonly connectTimeoutMs: number;
  /** Most connections to one address; further requests wait. */
  readonly maxConnections: number;
  readonly tls: TlsOptions | undefined;
}

/** Requests over HTTP/1.1 and nothing else, straight on sockets. */
export class Http1Transport implements Transport {
  readonly #options: Http1TransportOptions;
  /** Those that take requests. */
  readonly #peers = new Map<string, Http1Peer>();
  /** Those that have connections, released ones included. */
  readonly #open = new Set<Http1Peer>();
  readonly #clock = { seconds: 0 };
  readonly #buffer = Buffer.allocUnsafeSlow(sharedBytes);
  #sweep: NodeJS.Timeout | undefined;
  #closing: { readonly done: Promise<undefined>; readonly settle: () => void } | undefined;

  constructor(options: Http1TransportOptions) {
    this.#options = options;
  }

  open(address: Address): Peer {
    const origin = originOf(address);
    let peer = this.#peers.get(origin);
    if (peer === undefined || peer.isClosing) {
      peer = this.#make(origin, address);
      this.#peers.set(origin, peer);
      this.#open.add(peer);
      // It lets the process end.
      this.#sweep ??= setInterval(this.#onSecond, 1_000).unref();
      if (this.#closing !== undefined) peer.close();
    }
    peer.users += 1;
    return peer;
  }

  async close(graceMs: number): Promise<void> {
    if (this.#closing === undefined) {
      const { promise: done, resolve } = Promise.withResolvers<undefined>();
      const settle = (): void => {
        resolve(undefined);
      };
      this.#closing = { done, settle };
      for (const peer of [...this.#open]) peer.close();
      if (this.#open.size === 0) settle();
    }
    const timer = setTimeout(() => {
      for (const peer of [...this.#open]) peer.destroy(new errors.ClientDestroyedError());
    }, graceMs).unref();
    await this.#closing.done;
    clearTimeout(timer);
  }

  #make(origin: string, { scheme, host, port }: Address): Http1Peer {
    const { connectTimeoutMs, maxConnections, tls } = this.#options;
    const authority = origin.slice(`${scheme}://`.length);
    return new Http1Peer({
      destination: {
        host,
        port,
        authority,
        tls: scheme === 'https' ? { ...tls } : undefined,
        timeoutMs: connectTimeoutMs,
      },
      maxConnections,
      buffer: this.#buffer,
      clock: this.#clock,
      onEmpty: (peer) => {
        this.#forget(origin, peer);
      },
    });
  }

  #forget(origin: string, peer: Http1Peer): void {
    this.#open.delete(peer);
    if (this.#peers.get(origin) === peer) this.#peers.delete(origin);
    if (this.#open.size > 0) return;
    clearInterval(this.#sweep);
    this.#sweep = undefined;
    this.#closing?.settle();
  }

  readonly #onSecond = (): void => {
    this.#clock.seconds++;
    for (const peer of this.#open) peer.sweep();
  };
}
