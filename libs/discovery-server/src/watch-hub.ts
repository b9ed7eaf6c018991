import type { Timers } from '@mesh/discovery-client';
import type { Change } from './change-log.ts';
import { integerOption } from './options.ts';
import { platformTimers } from './platform-timers.ts';
import { formatPosition } from './position.ts';
import type { Registry } from './registry.ts';
import { RegistryError } from './registry-error.ts';
import { encodeBookmark, encodeChange, encodeSnapshot, streamHead } from './server-sent-event.ts';
import { Watcher } from './watcher.ts';
import type { WatchStream } from './watcher.ts';

/** Options of a {@link WatchHub}. */
export interface WatchHubOptions {
  /** The most streams at once; the next one is refused with `ERR_UNAVAILABLE`. Default 1000. */
  readonly maximumWatchers?: number;
  /** What a watcher may have unread, in bytes, before it is closed to resume later. Default 256 KiB. */
  readonly maximumBufferedBytes?: number;
  /** Milliseconds between two bookmarks. Default 10 000. */
  readonly bookmarkIntervalMs?: number;
  /** Default: the platform's timers, which do not keep the process alive. */
  readonly timers?: Timers;
}

/** What a watcher asks for. */
export interface WatchRequest {
  /** Names of services. Default all. */
  readonly services?: readonly string[] | undefined;
  /** Position after which to go on. Default: begin with a snapshot. */
  readonly lastEventId?: string | undefined;
}

/**
 * Streams the changes of a registry to whoever watches: each change encoded once, the same text for all, and only to
 * those it concerns. Without watchers it has no timer and listens to nothing.
 */
export class WatchHub {
  readonly #registry: Registry;
  readonly #maximumWatchers: number;
  readonly #maximumBufferedBytes: number;
  readonly #bookmarkIntervalMs: number;
  readonly #timers: Timers;
  readonly #watchers = new Set<Watcher>();
  readonly #ofAll = new Set<Watcher>();
  readonly #ofService = new Map<string, Set<Watcher>>();
  readonly #encoded = new WeakMap<Change, string>();
  #snapshot: { readonly revision: string; readonly text: string } | undefined;
  #unsubscribe: (() => void) | undefined;
  #timer: unknown;
  #closed = false;

  /** @throws RangeError naming an option that is out of range. */
  constructor(registry: Registry, options: WatchHubOptions = {}) {
    const { maximumWatchers = 1000, maximumBufferedBytes = 262_144, bookmarkIntervalMs = 10_000 } = options;
    this.#registry = registry;
    this.#maximumWatchers = integerOption('watchHub: maximumWatchers', maximumWatchers, 0, 1_000_000);
    this.#maximumBufferedBytes = integerOption(
      'watchHub: maximumBufferedBytes',
      maximumBufferedBytes,
      1024,
      2 ** 30,
    );
    this.#bookmarkIntervalMs = integerOption(
      'watchHub: bookmarkIntervalMs',
      bookmarkIntervalMs,
      10,
      3_600_000,
    );
    this.#timers = options.timers ?? platformTimers;
  }

  /** Number of open streams. */
  get size(): number {
    return this.#watchers.size;
  }

  /** @throws RegistryError `ERR_UNAVAILABLE` when there is no room for another watcher. */
  reserve(): void {
    if (this.#closed) throw new RegistryError('ERR_UNAVAILABLE', 'the registry is closing', 1000);
    if (this.#watchers.size < this.#maximumWatchers) return;
    const detail = `there are ${this.#maximumWatchers} watchers already; ask GET /services/:name meanwhile`;
    throw new RegistryError('ERR_UNAVAILABLE', detail, 5000);
  }

  /**
   * Begins a stream: what was missed since `lastEventId` where that is still known, a snapshot otherwise, then every change.
   *
   * @returns a function to call when the stream is closed.
   * @throws RegistryError `ERR_UNAVAILABLE` when there is no room.
   */
  open(stream: WatchStream, { services, lastEventId }: WatchRequest = {}): () => void {
    this.reserve();
    const names = services && new Set(services);
    const watcher = new Watcher(stream, names, this.#maximumBufferedBytes);
    // In one go, so that no change can fall between what is sent now and what is sent from now on.
    watcher.open(streamHead + this.#opening(names, lastEventId));
    this.#add(watcher);
    return () => {
      this.#remove(watcher);
    };
  }

  /** Ends all streams, for good. What a slow one has unread, the closing server cuts off. */
  close(): void {
    this.#closed = true;
    for (const watcher of this.#watchers) {
      this.#remove(watcher);
      watcher.end();
    }
  }

  #opening(names: ReadonlySet<string> | undefined, lastEventId: string | undefined): string {
    if (lastEventId === undefined) return this.#encodeSnapshot(names);
    const missed = this.#registry.changesSince(lastEventId);
    if (missed === undefined) return this.#encodeSnapshot(names);
    const concerning = names === undefined ? missed : missed.filter(({ name }) => names.has(name));
    const gap = concerning.map((change) => this.#encode(change)).join('');
    const last = missed.at(-1);
    // Of the last change that was read, not of now: a change in between would otherwise be skipped.
    const position = last === undefined ? lastEventId : formatPosition(this.#registry.epoch, last.revision);
    return gap + encodeBookmark(position);
  }

  #encodeSnapshot(names: ReadonlySet<string> | undefined): string {
    // The revision first: what runs out in between is then told once more after a reconnect, and never missed.
    const { epoch, revision } = this.#registry;
    if (names !== undefined) return encodeSnapshot(epoch, revision, this.#registry.instances(names));
    // Everybody comes back at once after a network failure; for all of them the same text will do.
    if (this.#snapshot?.revision !== revision) {
      this.#snapshot = { revision, text: encodeSnapshot(epoch, revision, this.#registry.instances()) };
    }
    return this.#snapshot.text;
  }

  #encode(change: Change): string {
    const known = this.#encoded.get(change);
    if (known !== undefined) return known;
    const text = encodeChange(this.#registry.epoch, change);
    this.#encoded.set(change, text);
    return text;
  }

  #add(watcher: Watcher): void {
    this.#watchers.add(watcher);
    for (const set of this.#setsOf(watcher)) set.add(watcher);
    this.#unsubscribe ??= this.#registry.subscribe((change) => {
      this.#announce(change);
    });
    if (this.#watchers.size === 1) this.#scheduleBookmark();
  }

  #remove(watcher: Watcher): void {
    if (!this.#watchers.delete(watcher)) return;
    for (const set of this.#setsOf(watcher)) set.delete(watcher);
    for (const name of watcher.names ?? []) {
      if (this.#ofService.get(name)?.size === 0) this.#ofService.delete(name);
    }
    if (this.#watchers.size > 0) return;
    this.#unsubscribe?.();
    this.#unsubscribe = undefined;
    this.#snapshot = undefined;
    this.#timers.clear(this.#timer);
  }

  #setsOf({ names }: Watcher): readonly Set<Watcher>[] {
    if (names === undefined) return [this.#ofAll];
    return Array.from(names, (name) => {
      const set = this.#ofService.get(name) ?? new Set();
      this.#ofService.set(name, set);
      return set;
    });
  }

  #announce(change: Change): void {
    this.#snapshot = undefined;
    const concerned = this.#ofService.get(change.name);
    if (this.#ofAll.size === 0 && concerned === undefined) return;
    const text = this.#encode(change);
    this.#send(this.#ofAll, text);
    if (concerned !== undefined) this.#send(concerned, text);
  }

  #send(watchers: Iterable<Watcher>, text: string): void {
    for (const watcher of watchers) {
      if (!watcher.send(text)) this.#remove(watcher);
    }
  }

  #scheduleBookmark(): void {
    this.#timer = this.#timers.set(() => {
      const bookmark = encodeBookmark(this.#registry.revision);
      this.#send(this.#watchers, bookmark);
      if (this.#watchers.size > 0) this.#scheduleBookmark();
    }, this.#bookmarkIntervalMs);
  }
}
