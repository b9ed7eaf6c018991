import type { DiscoveryClientOptions, DiscoverySettings } from './discovery-client-options.ts';
import { readOptions } from './discovery-client-options.ts';
import { closedError } from './discovery-error.ts';
import type { CachedService, Registration, Resolution, ServiceDescription } from './instance.ts';
import { ServiceRegistration } from './registration.ts';
import { RegistryApi } from './registry-api.ts';
import { ServiceCache } from './service-cache.ts';
import { readDescription } from './service-description.ts';
import { WatchCoverage } from './watch-coverage.ts';
import type { WatchMessage } from './watch-message.ts';
import { WatchStream } from './watch-stream.ts';

/**
 * Registers services at a registry, keeps them there, and finds living instances of others.
 *
 * Answers come from a cache that is kept up to date by one watch (or refreshed by its time to live) and that outlives the
 * registry: while it is down or has just restarted, the last known instances are served.
 */
export class DiscoveryClient {
  readonly #settings: DiscoverySettings;
  readonly #api: RegistryApi;
  readonly #cache: ServiceCache;
  readonly #coverage: WatchCoverage;
  readonly #stream: WatchStream;
  readonly #registrations = new Set<ServiceRegistration>();
  #closing: Promise<void> | undefined;

  /** Opens nothing yet: the first use does. Throws a RangeError naming the option that is out of range. */
  constructor(options?: DiscoveryClientOptions) {
    const settings = readOptions(options);
    this.#settings = settings;
    this.#api = new RegistryApi(settings, () => {
      this.#onConnected();
    });
    this.#cache = new ServiceCache(settings, {
      load: (name, signal) => this.#api.service(name, signal),
      watchPosition: () => this.#coverage.position,
      onSeen: () => {
        this.#watch();
      },
    });
    this.#coverage = new WatchCoverage(settings, this.#cache);
    this.#stream = new WatchStream(settings, this.#api, {
      open: () => this.#coverage.open(Array.from(this.#registrations, ({ name }) => name)),
      message: (message) => {
        this.#onMessage(message);
      },
      lost: (at) => {
        this.#coverage.lost(at);
      },
      distrust: () => {
        this.#coverage.distrust();
      },
    });
  }

  /** Address of the registry. */
  get serverUrl(): string {
    return this.#settings.serverUrl;
  }

  /** Whether the registry answered the last call; `disconnected` before the first. */
  get status(): 'connected' | 'disconnected' {
    return this.#api.status;
  }

  /**
   * Registers an instance and keeps it registered: jittered heartbeats, and a new registration whenever the registry lost it.
   *
   * Resolves when the registry accepted. While the registry cannot be reached it tries for ever (0.2 s x 1.6, at most 10 s)
   * until `signal` or `close()`. Rejects with a RangeError for a wrong name, port or interval, and with a `DiscoveryError`
   * (`ERR_DISCOVERY_REJECTED`) when the registry refuses.
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
      this.#api,
      description,
      {
        onAccepted: () => {
          if (!this.#coverage.covers(description.name)) this.#watch();
        },
        onEnded: () => this.#registrations.delete(registration),
      },
    );
    this.#registrations.add(registration);
    await registration.start(options?.signal);
    return registration;
  }

  /**
   * The living instances of a service. Waits only for a name that nothing is known about; an old list is answered at once
   * and refreshed behind it. A service the registry does not know has an empty list.
   *
   * Rejects with a `DiscoveryError` (`ERR_DISCOVERY_UNAVAILABLE`) when the registry does not answer and nothing is cached,
   * with the reason of `signal` when that comes first, and with an `AbortError` (`ERR_DISCOVERY_CLOSED`) after `close()`.
   */
  resolve(name: string, options?: { readonly signal?: AbortSignal }): Promise<Resolution> {
    return this.#cache.resolve(name, options?.signal);
  }

  /**
   * What is cached, synchronously; undefined when that is nothing. Starts a refresh in the background when one is due.
   * A fresh answer is the same object as long as nothing changes.
   */
  peek(name: string): Resolution | undefined {
    return this.#cache.peek(name);
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

  async #close(): Promise<void> {
    this.#cache.close();
    this.#stream.close();
    await Promise.all(Array.from(this.#registrations, (registration) => registration.deregister()));
  }

  #watch(): void {
    if (this.#settings.watch) this.#stream.refresh();
  }

  #onMessage(message: WatchMessage): void {
    this.#coverage.apply(message);
    for (const registration of this.#registrations) {
      if (this.#coverage.covers(registration.name)) registration.hear(message);
    }
  }

  #onConnected(): void {
    this.#cache.forgive();
    this.#stream.hurry();
    for (const registration of this.#registrations) registration.hurry();
  }
}
