import type { DiscoverySettings } from './discovery-client-options.ts';
import { closedError } from './discovery-error.ts';
import type { Resolution } from './instance.ts';
import type { ServiceCache } from './service-cache.ts';
import type { ServiceEntry } from './service-entry.ts';

/** How often a list with subscribers is looked at whether it is due: at its end, within these bounds. */
const soonestLookMs = 200;
const latestLookMs = 5000;

/** Those who want to hear of a service. While there are any, its list is refreshed although nobody asks for it. */
export class Subscriptions {
  readonly #settings: DiscoverySettings;
  readonly #cache: ServiceCache;
  readonly #listeners = new Map<ServiceEntry, Set<() => void>>();
  readonly #timers = new Map<ServiceEntry, unknown>();

  constructor(settings: DiscoverySettings, cache: ServiceCache) {
    this.#settings = settings;
    this.#cache = cache;
  }

  /** Calls `listener` after each change of the list. Answers what ends that; nothing happens the second time. */
  subscribe(name: string, listener: () => void): () => void {
    const entry = this.#cache.adopt(name);
    if (entry === undefined) return () => undefined;
    const listeners = this.#listeners.get(entry) ?? new Set();
    this.#listeners.set(entry, listeners);
    // One function may subscribe twice and must then be called twice.
    const own = (): void => {
      listener();
    };
    listeners.add(own);
    if (listeners.size === 1) this.#look(entry);
    return () => {
      if (!listeners.delete(own)) return;
      entry.subscribers -= 1;
      if (listeners.size === 0) this.#forget(entry);
    };
  }

  /** The registry was heard on a list that somebody may wait for. What a listener throws is dropped. */
  notify(entry: ServiceEntry): void {
    for (const listener of this.#listeners.get(entry) ?? []) {
      try {
        listener();
      } catch {
        // It has its own ways to tell.
      }
    }
  }

  /** Everyone is told once more, and nobody afterwards. */
  close(): void {
    for (const entry of [...this.#listeners.keys()]) {
      this.notify(entry);
      this.#forget(entry);
    }
  }

  /** Every list from now on, the one that is known first; ends with `signal`, and by an error when the client is closed. */
  async *watch(
    name: string,
    signal: AbortSignal | undefined,
    closing: AbortSignal,
    read: () => Resolution | undefined,
  ): AsyncGenerator<Resolution, void, undefined> {
    let wake: () => void = () => undefined;
    const leave = (): void => {
      wake();
    };
    const unsubscribe = this.subscribe(name, leave);
    signal?.addEventListener('abort', leave);
    closing.addEventListener('abort', leave);
    let last: Resolution | undefined;
    try {
      while (signal?.aborted !== true) {
        if (closing.aborted) throw closedError();
        const changed = new Promise<void>((resolve) => {
          wake = resolve;
        });
        const next = read();
        if (next !== undefined && next.instances !== last?.instances) yield (last = next);
        else await changed;
      }
    } finally {
      unsubscribe();
      signal?.removeEventListener('abort', leave);
      closing.removeEventListener('abort', leave);
    }
  }

  #look(entry: ServiceEntry): void {
    this.#cache.peek(entry.name);
    const dueInMs = Math.min(Math.max(entry.remainingMs, soonestLookMs), latestLookMs);
    const timer = this.#settings.timers.set(() => {
      this.#look(entry);
    }, dueInMs);
    this.#timers.set(entry, timer);
  }

  #forget(entry: ServiceEntry): void {
    this.#settings.timers.clear(this.#timers.get(entry));
    this.#timers.delete(entry);
    this.#listeners.delete(entry);
  }
}
