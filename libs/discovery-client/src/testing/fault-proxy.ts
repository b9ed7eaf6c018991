/// <reference types="node" />
import type { AddressInfo, Server, Socket } from 'node:net';
import { connect, createServer } from 'node:net';

/** What the proxy does with a chunk of bytes. */
type Forward = (to: Socket, chunk: Buffer) => void;

/** A TCP proxy on loopback that misbehaves on demand, towards every connection that is open or will be. */
export class FaultProxy {
  /**
   * `pass`; `swallow`: connections are taken and nothing comes back, as behind a firewall that drops; `refuse`: reset at once.
   */
  mode: 'pass' | 'swallow' | 'refuse' = 'pass';
  /** Each way, in milliseconds. */
  delayMs = 0;
  /** Towards the client, at most; a slow reader on the other side of the world. */
  bytesPerSecond = Infinity;
  readonly #pairs = new Set<readonly [client: Socket, upstream: Socket]>();
  #server: Server | undefined;

  /** Connections that are open. */
  get open(): number {
    return this.#pairs.size;
  }

  /** Listens in front of a port of loopback. @returns its own address. */
  async listen(upstreamPort: number): Promise<string> {
    const server = createServer((client) => {
      this.#accept(client, upstreamPort);
    });
    this.#server = server;
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  /** Resets every open connection, on both sides. */
  reset(): void {
    for (const [client, upstream] of this.#pairs) {
      client.resetAndDestroy();
      upstream.resetAndDestroy();
    }
  }

  /** The other side is gone and the client is never told: a cable that was pulled. */
  halfOpen(): void {
    for (const [, upstream] of this.#pairs) {
      upstream.removeAllListeners();
      upstream.on('error', () => undefined).resetAndDestroy();
    }
  }

  async close(): Promise<void> {
    const server = this.#server;
    const closed = new Promise((resolve) => server?.close(resolve));
    this.reset();
    await closed;
  }

  #accept(client: Socket, upstreamPort: number): void {
    if (this.mode === 'refuse') {
      client.resetAndDestroy();
      return;
    }
    const upstream = connect(upstreamPort, '127.0.0.1');
    const pair = [client, upstream] as const;
    this.#pairs.add(pair);
    this.#pipe(client, upstream, this.#later(Infinity));
    this.#pipe(upstream, client, this.#later(this.bytesPerSecond));
    client.on('close', () => {
      this.#pairs.delete(pair);
      upstream.destroy();
    });
  }

  #pipe(from: Socket, to: Socket, forward: Forward): void {
    from.on('error', () => undefined);
    from.on('data', (chunk: Buffer) => {
      if (this.mode !== 'swallow') forward(to, chunk);
    });
    from.on('end', () => {
      setTimeout(() => to.end(), this.delayMs + 20);
    });
    from.on('close', (hadError) => {
      if (hadError) to.resetAndDestroy();
    });
  }

  /** Sends in order: each chunk after the delay, and after the time that the one before takes on the wire. */
  #later(bytesPerSecond: number): Forward {
    let freeAt = 0;
    return (to, chunk) => {
      const at = Math.max(performance.now() + this.delayMs, freeAt);
      freeAt = at + (bytesPerSecond === Infinity ? 0 : (chunk.length / bytesPerSecond) * 1000);
      setTimeout(() => to.destroyed || to.write(chunk), Math.max(0, freeAt - performance.now()));
    };
  }
}
