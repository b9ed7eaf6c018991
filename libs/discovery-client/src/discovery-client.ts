import type { DiscoveryClientOptions, DiscoverySettings } from './discovery-client-options.ts';
import { readOptions } from './discovery-client-options.ts';

/** Registers services and finds instances of others. */
export class DiscoveryClient {
  readonly #settings: DiscoverySettings;

  constructor(options?: DiscoveryClientOptions) {
    this.#settings = readOptions(options);
  }

  /** Address of the registry. */
  get serverUrl(): string {
    return this.#settings.serverUrl;
  }
}
