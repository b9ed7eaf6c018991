import type { DiscoveryClientOptions, DiscoverySettings } from './discovery-client-options.ts';
import { readOptions } from './discovery-client-options.ts';
import { closedError } from './discovery-error.ts';
import { Heartbeats } from './heartbeats.ts';
import type { CachedService, Instance, Registration, Resolution, ServiceDescription } from './instance.ts';
import type { InstanceFilter } from './instance-filter.ts';
import { checkFilter, FilteredLists } from './instance-filter.ts';
import { ListFeed } from './list-feed.ts';
import { ListSnapshot } from './list-snapshot.ts';
import type { Provider } from './provider.ts';
import { chooseProvider } from './provider.ts';
import { ServiceRegistration } from './registration.ts';
import { ServiceCache } from './service-cache.ts';
import { none } from './service-entry.ts';
import { readDescription } from './service-description.ts';
import type { Store } from './store.ts';
import { Subscriptions } from './subscriptions.ts';
import type { WatchMessage } from './watch-message.ts';

/** A filter, and what ends the wait. */
export interface ResolveOptions extends InstanceFilter {
  readonly signal?: AbortSignal;
}

/**
 * Registers services at a registry, keeps them there, and finds living instances of others.
 *
 * Answers come from a cache that is kept up to date by one watch (or refreshed by its time to live) and that outlives the
 * registry: while it is down or has just restarted, the last known instances are served.
 */
export class DiscoveryClient {
  readonly #settings: DiscoverySettings;
  readonly #provider: Provider;
  readonly #cache: ServiceCache;
  readonly #feed: ListFeed;
  readonly #snapshot: ListSnapshot | undefined;
  readonly #subscriptions: Subscriptions;
  readonly #filtered = new FilteredLists(crypto.randomUUID());
  readonly #heartbeats: Heartbeats;
  readonly #registrations = new Set<ServiceRegistration>();
  readonly #ending = new AbortController();
  #closing: Promise<void> | undefined;

  /** Opens nothing yet: the first use does. Throws a RangeError naming the option that is out of range. */
  constructor(options?: DiscoveryClientOptions) {
    const settings = readOptions(options);
    this.#settings = settings;
    const onConnected = (): void => {
      this.#onConnected();
    };
    this.#provider = chooseProvider({ urls: settings.serverUrls, settings, onConnected }, settings.providers);
    this.#heartbeats = new Heartbeats(settings, this.#provider, () => this.#registrations.size);
    this.#cache = new ServiceCache(settings, {
      source: this.#provider.source ?? 'fresh',
      find: (name, signal) => this.#provider.find(name, signal),
      recall: async (name) => this.#snapshot?.recall(name),
      watchPosition: () => this.#feed.position,
      onWanted: () => {
        this.#feed.refresh();
      },
      onHeard: (entry, isChanged) => {
        this.#snapshot?.touch(isChanged);
        this.#subscriptions.notify(entry);
      },
    });
    this.#feed = new ListFeed(settings, this.#provider, this.#cache, {
      own: () => this.#registrations,
      onMessage: (message) => {
        this.#onMessage(message);
      },
    });
    this.#subscriptions = new Subscriptions(settings, this.#cache);
    if (settings.snapshot !== undefined)
      this.#snapshot = new ListSnapshot(settings, settings.snapshot, () => this.#cache.recent());
  }

  /** Address of the server that is in use. */
  get serverUrl(): string {
    return this.#provider.server;
  }

  /** Whether the registry answered the last call; `disconnected` before the first. */
  get status(): 'connected' | 'disconnected' {
    return this.#provider.status;
  }

  /**
   * Registers an instance and keeps it registered: jittered heartbeats, a session where the registry offers one, and a new
   * registration whenever the registry lost it.
   *
   * Resolves when the registry accepted. While the registry cannot be reached it tries for ever (0.2 s x 1.6, at most 10 s)
   * until `signal` or `close()`. Rejects with a RangeError for a wrong name, port or interval, and with a `DiscoveryError`
   * (`ERR_DISCOVERY_REJECTED`) when the registry refuses.
   *
   * @example await using registration = await client.register({ name: 'user-service', port: 4000 });
   */
  async register(
    service: ServiceDescription,
    options?: { readonly signal?: AbortSignal },
  ): Promise<Registration> {
    const description = readDescription(service, this.#settings.defaultHeartbeatInterval);
    if (this.#closing !== undefined) throw closedError();
    options?.signal?.throwIfAborted();
    const registration: ServiceRegistration = new ServiceRegistration(
      this.#settings,
      this.#provider,
      this.#heartbeats,
      description,
      {
        onAccepted: () => {
          if (!this.#feed.covers(description.name)) this.#feed.refresh();
        },
        onEnded: () => this.#registrations.delete(registration),
      },
    );
    this.#registrations.add(registration);
    await registration.start(options?.signal);
    return registration;
  }

  /**
   * The living instances of a service, those that pass the filter. Waits only for a name that nothing is known about; an old
   * list is answered at once and refreshed behind it. A service the registry does not know has an empty list.
   *
   * Rejects with a `DiscoveryError` (`ERR_DISCOVERY_UNAVAILABLE`) when the registry does not answer and nothing is cached,
   * with the reason of `signal` when that comes first, with an `AbortError` (`ERR_DISCOVERY_CLOSED`) after `close()`, and
   * with a RangeError for a filter that is none.
   *
   * @example const { instances, source } = await client.resolve('user-service', { zone: 'a', version: '^2.1' });
   */
  resolve(name: string, options?: ResolveOptions): Promise<Resolution> {
    if (options === undefined) return this.#cache.resolve(name);
    return this.#resolveFiltered(name, options);
  }

  /**
   * What is cached, synchronously; undefined when that is nothing. Starts a refresh in the background when one is due.
   * A fresh answer is the same object as long as nothing changes.
   */
  peek(name: string, filter?: InstanceFilter): Resolution | undefined {
    const base = this.#cache.peek(name);
    return base === undefined || filter === undefined ? base : this.#filtered.filter(name, base, filter);
  }

  /**
   * The list of a service, now and after each change, until `signal` or the end of the loop: what came in between two turns is
   * one turn. Waits while nothing is known. Ends with `ERR_DISCOVERY_CLOSED` at `close()`.
   *
   * @example for await (const { instances } of client.watch('user-service', { signal })) render(instances);
   */
  watch(name: string, options: ResolveOptions = {}): AsyncIterable<Resolution> {
    checkFilter(options);
    const read = (): Resolution | undefined => this.peek(name, options);
    return this.#subscriptions.watch(name, options.signal, this.#ending.signal, read);
  }

  /**
   * The list of a service as a store: a snapshot without waiting (empty while nothing is known), the same array until it
   * changes, and a call after each change. A subscriber keeps the list up to date.
   *
   * @example const users = useSyncExternalStore(store.subscribe, store.getSnapshot); // const store = client.store('user-service')
   */
  store(name: string, filter?: InstanceFilter): Store<readonly Instance[]> {
    if (filter !== undefined) checkFilter(filter);
    const getSnapshot = (): readonly Instance[] => this.peek(name, filter)?.instances ?? none;
    const subscribe = (listener: () => void): (() => void) => {
      let last = getSnapshot();
      return this.#subscriptions.subscribe(name, () => {
        const next = getSnapshot();
        if (next === last) return;
        last = next;
        listener();
      });
    };
    return { getSnapshot, subscribe };
  }

  /** What is cached, one entry a service. */
  cache(): readonly CachedService[] {
    return this.#cache.list();
  }

  /** Deregisters everything, ends the watch, and rejects whoever waits. Takes at most `requestTimeout`; never rejects. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  /** The same as `close()`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #resolveFiltered(name: string, options: ResolveOptions): Promise<Resolution> {
    checkFilter(options);
    return this.#filtered.filter(name, await this.#cache.resolve(name, options.signal), options);
  }

  async #close(): Promise<void> {
    this.#cache.close();
    this.#feed.close();
    this.#ending.abort(closedError());
    this.#subscriptions.close();
    await Promise.all([
      this.#snapshot?.close(),
      ...Array.from(this.#registrations, (registration) => registration.deregister()),
    ]);
  }

  #onMessage(message: WatchMessage): void {
    for (const registration of this.#registrations) {
      if (this.#feed.covers(registration.name)) registration.hear(message);
    }
  }

  #onConnected(): void {
    this.#cache.forgive();
    this.#feed.hurry();
    for (const registration of this.#registrations) registration.hurry();
  }
}
