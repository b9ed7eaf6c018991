import { Backoff, vary } from './backoff.ts';
import type { DiscoverySettings } from './discovery-client-options.ts';
import { closedError, DiscoveryError } from './discovery-error.ts';
import { Pause } from './pause.ts';
import type { ServiceList } from './registry-answer.ts';
import type { ServiceCache } from './service-cache.ts';
import type { ServiceEntry } from './service-entry.ts';

/** Services that are followed at once, each by a connection of its own; the others go by their time to live. */
const maximumFollowed = 100;

/** Answers in a row that may come at once; then they are spaced, so that a service in unrest is polled instead. */
const burst = 2;
const spacingMs = 1000;

/** Asks for a list and waits for another one than `revision`. */
export type Follow = (name: string, revision: string, signal: AbortSignal) => Promise<ServiceList>;

/** Keeps lists up to date by blocking queries, one loop a service: for registries that do not stream. */
export class LongPoll {
  readonly #settings: DiscoverySettings;
  readonly #cache: ServiceCache;
  readonly #follow: Follow;
  readonly #followed = new Map<ServiceEntry, Pause>();
  readonly #closing = new AbortController();

  constructor(settings: DiscoverySettings, cache: ServiceCache, follow: Follow) {
    this.#settings = settings;
    this.#cache = cache;
    this.#follow = follow;
  }

  /** There are other services worth following. */
  refresh(): void {
    for (const entry of this.#cache.watchable()) {
      if (this.#closing.signal.aborted || this.#followed.size >= maximumFollowed) return;
      if (!this.#followed.has(entry)) void this.#run(entry);
    }
  }

  /** The registry was just heard on another way: no need to wait for the next try. */
  hurry(): void {
    for (const pause of this.#followed.values()) pause.wake();
  }

  close(): void {
    this.#closing.abort(closedError());
    this.hurry();
  }

  async #run(entry: ServiceEntry): Promise<void> {
    const pause = new Pause(this.#settings.timers);
    this.#followed.set(entry, pause);
    const backoff = new Backoff(this.#settings.random);
    let revision = '';
    let tokens = burst;
    let answeredAt = this.#settings.clock.now();
    while (!this.#closing.signal.aborted && this.#cache.has(entry)) {
      try {
        const list = await this.#follow(entry.name, revision, this.#closing.signal);
        this.#cache.follow(entry, list);
        revision = list.revision;
        backoff.reset();
        const now = this.#settings.clock.now();
        tokens = Math.min(burst, tokens + (now - answeredAt) / spacingMs) - 1;
        answeredAt = now;
        if (tokens < 0) await pause.wait(spacingMs);
      } catch (error) {
        if (this.#isClosed()) break;
        revision = '';
        await pause.wait(this.#lose(entry, error, backoff));
      }
    }
    this.#followed.delete(entry);
  }

  /** Closing happens while the loop waits, which the compiler cannot see. */
  #isClosed(): boolean {
    return this.#closing.signal.aborted;
  }

  /** From now on the list ages. Answers how long to wait before the next try. */
  #lose(entry: ServiceEntry, error: unknown, backoff: Backoff): number {
    if (entry.live) entry.confirm(vary(this.#cache.ttlMs(entry), 0.1, this.#settings.random));
    const retryInMs = backoff.next(error instanceof DiscoveryError ? error.retryAfterMs : undefined);
    this.#settings.emit({ type: 'watch-lost', error, retryInMs });
    return retryInMs;
  }
}
