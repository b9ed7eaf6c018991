import type { Timers } from '@mesh/discovery-client';
import type { Change } from './change-log.ts';
import { integerOption } from './options.ts';
import { platformTimers } from './platform-timers.ts';
import { formatPosition, parsePosition } from './position.ts';
import type { Registry } from './registry.ts';
import { RegistryError } from './registry-error.ts';
import { encodeBookmark, encodeChange, encodeReset, streamHead } from './server-sent-event.ts';
import type { View } from './service-entry.ts';
import { namespaceOf, qualify } from './service-key.ts';
import { SnapshotText } from './snapshot-text.ts';
import { TimeSlice } from './time-slice.ts';
import { Watcher } from './watcher.ts';
import type { WatchScope, WatchStream } from './watcher.ts';

/** Instances of a snapshot that are sent without a pause: about 3 ms. */
const atOnce = 1000;

/** Milliseconds until a slow reader is looked at again while it takes its snapshot. */
const drainPauseMs = 20;

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
  /** Services, as `name` or `namespace/name`. Default all of the namespace. */
  readonly services?: readonly string[] | undefined;
  /** Of names that say none, and of all services where none are named; `*` for those of all namespaces. Default `default`. */
  readonly namespace?: string | undefined;
  /** `any` tells of instances that are not up, too. Default `listed`. */
  readonly view?: View | undefined;
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
  /** By service, and those who watch all of a namespace by `namespace/`, or `*` + `/`. No service has such a key. */
  readonly #byTopic = new Map<string, Set<Watcher>>();
  readonly #encoded: Readonly<Record<View, WeakMap<Change, string>>> = {
    listed: new WeakMap(),
    any: new WeakMap(),
  };
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
  open(stream: WatchStream, request: WatchRequest = {}): () => void {
    this.reserve();
    const { namespace = 'default', services, view = 'listed' } = request;
    const keys = services?.map((name) => qualify(name, namespace === '*' ? undefined : namespace));
    const scope = { services: keys && new Set(keys), namespace, view };
    const watcher = new Watcher(stream, scope, this.#maximumBufferedBytes);
    // In one go, so that no change can fall between what is sent now and what is sent from now on.
    this.#begin(watcher, request.lastEventId);
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

  #begin(watcher: Watcher, lastEventId: string | undefined): void {
    const missed = lastEventId === undefined ? undefined : this.#registry.changesSince(lastEventId);
    if (lastEventId === undefined || missed === undefined) {
      const reset = lastEventId === undefined ? '' : encodeReset(this.#resetReason(lastEventId));
      this.#sendSnapshot(watcher, streamHead + reset);
      return;
    }
    const { scope } = watcher;
    const gap = missed.filter((change) => concerns(scope, change.service));
    const last = missed.at(-1);
    // Of the last change that was read, not of now: a change in between would otherwise be skipped.
    const position = last === undefined ? lastEventId : formatPosition(this.#registry.epoch, last.revision);
    const changes = gap.map((change) => this.#encode(change, scope.view)).join('');
    watcher.open(streamHead + changes + encodeBookmark(position));
  }

  #resetReason(position: string): 'epoch' | 'gap' {
    return parsePosition(position)?.epoch === this.#registry.epoch ? 'gap' : 'epoch';
  }

  /** In one go where that is quick, else piece by piece, and what changes meanwhile afterwards. */
  #sendSnapshot(watcher: Watcher, head: string): void {
    // The revision first: what runs out in between is then told once more after a reconnect, and never missed.
    const { epoch, revision } = this.#registry;
    const { services, view } = watcher.scope;
    const found = services === undefined ? this.#registry.services() : this.#registry.services(services);
    const concerned = found.filter(({ key }) => concerns(watcher.scope, key));
    const snapshot = new SnapshotText({
      epoch,
      revision,
      services: concerned.map(({ key }) => key),
      view,
      find: (key) => this.#registry.service(key),
    });
    const pieces = snapshot.pieces();
    if (concerned.reduce((sum, { size }) => sum + size, 0) <= atOnce) {
      watcher.open(head + [...pieces].join(''));
      return;
    }
    watcher.open(head);
    watcher.hold((service) => snapshot.awaits(service));
    this.#sendPieces(watcher, pieces);
  }

  #sendPieces(watcher: Watcher, pieces: Iterator<string, undefined>): void {
    const slice = new TimeSlice();
    while (watcher.isDrained && !slice.isOver) {
      const { done, value } = pieces.next();
      if (done === true) {
        watcher.release();
        return;
      }
      watcher.open(value);
    }
    const pauseMs = watcher.isDrained ? 0 : drainPauseMs;
    this.#timers.set(() => {
      if (this.#watchers.has(watcher)) this.#sendPieces(watcher, pieces);
    }, pauseMs);
  }

  #encode(change: Change, view: View): string {
    const known = this.#encoded[view].get(change);
    if (known !== undefined) return known;
    const text = encodeChange(this.#registry.epoch, change, view) ?? '';
    this.#encoded[view].set(change, text);
    return text;
  }

  #add(watcher: Watcher): void {
    this.#watchers.add(watcher);
    for (const topic of topicsOf(watcher.scope)) {
      const set = this.#byTopic.get(topic) ?? new Set();
      this.#byTopic.set(topic, set.add(watcher));
    }
    this.#unsubscribe ??= this.#registry.subscribe((change) => {
      this.#announce(change);
    });
    if (this.#watchers.size === 1) this.#scheduleBookmark();
  }

  #remove(watcher: Watcher): void {
    if (!this.#watchers.delete(watcher)) return;
    for (const topic of topicsOf(watcher.scope)) {
      const set = this.#byTopic.get(topic);
      set?.delete(watcher);
      if (set?.size === 0) this.#byTopic.delete(topic);
    }
    if (this.#watchers.size > 0) return;
    this.#unsubscribe?.();
    this.#unsubscribe = undefined;
    this.#timers.clear(this.#timer);
  }

  #announce(change: Change): void {
    const { service } = change;
    for (const topic of [service, `${namespaceOf(service)}/`, '*/']) {
      const watchers = this.#byTopic.get(topic);
      if (watchers === undefined) continue;
      for (const watcher of watchers) {
        const text = this.#encode(change, watcher.scope.view);
        if (text === '' || watcher.awaits(service)) continue;
        if (!watcher.send(text)) this.#remove(watcher);
      }
    }
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

/** Under which topics changes that concern a watcher are told. */
function topicsOf({ services, namespace }: WatchScope): Iterable<string> {
  return services ?? [`${namespace}/`];
}

function concerns({ services, namespace }: WatchScope, service: string): boolean {
  return services?.has(service) ?? (namespace === '*' || namespaceOf(service) === namespace);
}
