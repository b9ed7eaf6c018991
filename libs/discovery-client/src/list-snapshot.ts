import type { DiscoverySettings } from './discovery-client-options.ts';
import type { Instance } from './instance.ts';
import { parseObject, readInstances } from './registry-answer.ts';
import type { ServiceEntry } from './service-entry.ts';

/** A text that outlives the process, whole or not at all. */
export interface SnapshotStore {
  /** What was written last; undefined when there is nothing, or nothing that can be trusted. */
  read(): Promise<string | undefined>;
  /** Replaces it. */
  write(text: string): Promise<void>;
}

/** A list as it was when it was written down. */
export interface SavedList {
  readonly instances: readonly Instance[];
  readonly revision: string;
  /** How long ago the registry vouched for it. */
  readonly ageMs: number;
}

/** A snapshot never grows beyond this many characters; the names used last are in it. */
export const maximumSnapshotLength = 16 * 1024 * 1024;

/** A change is written down after this long, with all that changed meanwhile. */
const writeDelayMs = 1000;

/** Without a change the age of the lists is written down this often. */
const rewriteDelayMs = 60_000;

/**
 * The lists of the cache, written down for the next process: read once, when a name is asked for that the registry does not
 * tell about. Failing to write is an event and nothing else.
 */
export class ListSnapshot {
  readonly #settings: DiscoverySettings;
  readonly #store: SnapshotStore;
  readonly #entries: () => readonly ServiceEntry[];
  #saved: Promise<ReadonlyMap<string, SavedList>> | undefined;
  #timer: unknown;
  #dueAt = Infinity;
  #writing: Promise<void> = Promise.resolve();

  /** @param entries What to write, the most important first. */
  constructor(settings: DiscoverySettings, store: SnapshotStore, entries: () => readonly ServiceEntry[]) {
    this.#settings = settings;
    this.#store = store;
    this.#entries = entries;
  }

  /** What the former process knew about a service, if that is not too old. */
  async recall(name: string): Promise<SavedList | undefined> {
    this.#saved ??= this.#read();
    const saved = (await this.#saved).get(name);
    return saved !== undefined && saved.ageMs < this.#settings.staleIfErrorMs ? saved : undefined;
  }

  /** Something is worth writing down: soon when a list changed, else when it is convenient. */
  touch(isChanged: boolean): void {
    const { clock, timers } = this.#settings;
    const dueAt = clock.now() + (isChanged ? writeDelayMs : rewriteDelayMs);
    if (dueAt >= this.#dueAt) return;
    timers.clear(this.#timer);
    this.#dueAt = dueAt;
    this.#timer = timers.set(() => void this.#write(), dueAt - clock.now());
  }

  /** Writes what is due. Never rejects. */
  async close(): Promise<void> {
    if (this.#dueAt !== Infinity) await this.#write();
    await this.#writing;
  }

  /** One at a time. */
  #write(): Promise<void> {
    this.#settings.timers.clear(this.#timer);
    this.#dueAt = Infinity;
    this.#writing = this.#writing
      .then(() => this.#store.write(this.#format()))
      .catch((error: unknown) => {
        this.#settings.emit({ type: 'snapshot-failed', error });
      });
    return this.#writing;
  }

  #format(): string {
    const savedAt = this.#settings.wallClock.now();
    const services: string[] = [];
    let length = 0;
    for (const { name, instances, revision, ageMs } of this.#entries()) {
      if (instances.length === 0) continue;
      const text = JSON.stringify({ name, instances, revision, ageMs: Math.round(ageMs) });
      if (length + text.length > maximumSnapshotLength) break;
      length += text.length;
      services.push(text);
    }
    return `{"version":1,"savedAt":${savedAt},"services":[${services.join(',\n')}]}\n`;
  }

  async #read(): Promise<ReadonlyMap<string, SavedList>> {
    try {
      return readSnapshot((await this.#store.read()) ?? '', this.#settings.wallClock.now());
    } catch (error) {
      this.#settings.emit({ type: 'snapshot-failed', error });
      return new Map();
    }
  }
}

/** A snapshot of another version, or none at all, is empty. A clock that was set back makes no list younger. */
function readSnapshot(text: string, now: number): ReadonlyMap<string, SavedList> {
  const { version, savedAt, services } = parseObject(text) ?? {};
  const saved = new Map<string, SavedList>();
  if (version !== 1 || typeof savedAt !== 'number' || !Array.isArray(services)) return saved;
  const sinceMs = Math.max(0, now - savedAt);
  for (const service of services as Readonly<Record<string, unknown>>[]) {
    const { name, instances, revision, ageMs } = service;
    if (typeof name !== 'string' || !Array.isArray(instances)) continue;
    saved.set(name, {
      instances: readInstances(instances),
      revision: typeof revision === 'string' ? revision : '',
      ageMs: sinceMs + (typeof ageMs === 'number' && ageMs > 0 ? ageMs : 0),
    });
  }
  return saved;
}
