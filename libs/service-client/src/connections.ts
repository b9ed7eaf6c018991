import { Agent, Pool } from 'undici';

/** Limits of {@link Connections}. */
export interface ConnectionLimits {
  /** Longest time to connect, in milliseconds. */
  readonly connectTimeoutMs: number;
  /** Most connections to one origin. */
  readonly maxConnections: number;
}

/** Most bytes of an answer's head: cookies and policies outgrow undici's own 16 KiB. */
const maxHeaderSize = 64 * 1024;

/** The connections of a client: undici's agent, and a way to end it within a time. */
export class Connections {
  readonly agent: Agent;
  readonly #pools = new Set<Pool>();
  #closing: Promise<void> | undefined;

  constructor({ connectTimeoutMs, maxConnections }: ConnectionLimits) {
    this.agent = new Agent({
      connect: { timeout: connectTimeoutMs },
      connections: maxConnections,
      maxHeaderSize,
      factory: (origin, options) => this.#open(origin, options),
    });
  }

  /** Takes no more requests, waits for those in flight for at most `graceMs`, then cuts them off. */
  close(graceMs: number): Promise<void> {
    this.#closing ??= this.agent.close();
    // An agent that is closing forgets its pools, so destroying it would no longer reach them.
    const cut = (): void => {
      for (const pool of this.#pools) void pool.destroy();
    };
    const timer = setTimeout(cut, graceMs).unref();
    return this.#closing.finally(() => {
      clearTimeout(timer);
    });
  }

  #open(origin: string | URL, options: Pool.Options): Pool {
    for (const pool of this.#pools) if (pool.destroyed) this.#pools.delete(pool);
    const pool = new Pool(origin, options);
    this.#pools.add(pool);
    return pool;
  }
}
