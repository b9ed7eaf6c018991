import type { DiscoverySettings } from './discovery-client-options.ts';
import type { Instance } from './instance.ts';
import type { ServiceEntry } from './service-entry.ts';

/** What an address says to a connection: nobody listens, somebody does, or nothing comes back. */
export type Reach = 'refused' | 'answered' | 'silent';

/** Tries an address, within a time of its own. */
export type Reacher = (host: string, port: number) => Promise<Reach>;

/** Tries at once, over all services. */
const maximumTries = 16;

interface Doubt {
  readonly entry: ServiceEntry;
  readonly instance: Instance;
}

/**
 * Looks whether instances live that an answer lacks and that are held for that. A connection that is refused is the only
 * proof of death: whoever takes it, and whoever is silent, is held for its lease as before.
 */
export class HeldCheck {
  readonly #settings: DiscoverySettings;
  readonly #onRefused: (entry: ServiceEntry, instance: Instance) => void;
  readonly #waiting: Doubt[] = [];
  #running = 0;

  constructor(settings: DiscoverySettings, onRefused: (entry: ServiceEntry, instance: Instance) => void) {
    this.#settings = settings;
    this.#onRefused = onRefused;
  }

  /** These are held from now on. Without a `reach` nothing is looked at. */
  look(entry: ServiceEntry, instances: readonly Instance[]): void {
    const { reach } = this.#settings;
    if (reach === undefined) return;
    for (const instance of instances) this.#waiting.push({ entry, instance });
    while (this.#running < maximumTries && this.#waiting.length > 0) void this.#run(reach);
  }

  /** Nobody is interested any more. */
  close(): void {
    this.#waiting.length = 0;
  }

  /** Never rejects. */
  async #run(reach: Reacher): Promise<void> {
    this.#running += 1;
    for (let doubt = this.#waiting.shift(); doubt !== undefined; doubt = this.#waiting.shift()) {
      const { entry, instance } = doubt;
      // It may have been found again, or given up, while others were tried.
      if (!entry.holds(instance)) continue;
      const found = await reach(instance.host, instance.port).catch(() => 'silent' as const);
      if (found === 'refused' && entry.holds(instance)) this.#onRefused(entry, instance);
    }
    this.#running -= 1;
  }
}
