import { vary } from './backoff.ts';
import type { DiscoverySettings } from './discovery-client-options.ts';
import type { Instance } from './instance.ts';
import type { Position } from './position.ts';
import { earliest, formatPosition, reaches } from './position.ts';
import type { ServiceCache } from './service-cache.ts';
import type { Missing, ServiceEntry } from './service-entry.ts';
import type { WatchMessage } from './watch-message.ts';

/** What a new connection of the watch asks for. */
export interface Subscription {
  readonly names: readonly string[];
  /** Resume after this; undefined: begin with a snapshot. */
  readonly lastEventId: string | undefined;
}

/** A registration of ours that the watch should tell about. */
export interface OwnName {
  readonly name: string;
  /** Where it was accepted: what the registry did with it happened later. */
  readonly acceptedAt: Position | undefined;
}

/** A list that is not what the registry says is asked for within this, and not more often. */
const reloadSpacingMs = 5000;

/** How long a watch that delivers again may take to deliver what was missed. */
const settlingMs = 1000;

/**
 * The lists that the one watch keeps up to date, and how far each of them is.
 *
 * A connection resumes at the earliest position of all its lists. What a list has already seen is skipped by its own
 * position, so a name that joins later costs neither a snapshot of the others nor a lost change.
 */
export class WatchCoverage {
  readonly #settings: DiscoverySettings;
  readonly #cache: ServiceCache;
  readonly #holding = new Set<ServiceEntry>();
  #names: ReadonlySet<string> = new Set();
  #covered: ReadonlyMap<string, ServiceEntry> = new Map();
  #position: Position | undefined;
  /** A connection is only believed to be complete after a snapshot, or when it was resumed. */
  #based = false;
  #live = false;
  readonly #reloadedAt = new WeakMap<ServiceEntry, number>();
  #sweepTimer: unknown;
  #sweepAt = 0;

  constructor(settings: DiscoverySettings, cache: ServiceCache) {
    this.#settings = settings;
    this.#cache = cache;
  }

  /** How far the open connection is; undefined while there is none. */
  get position(): Position | undefined {
    return this.#live ? this.#position : undefined;
  }

  /** Whether the connection (opened last) delivers for this name. */
  covers(name: string): boolean {
    return this.#names.has(name);
  }

  /** Begins a connection; undefined when nothing is worth one. */
  open(own: readonly OwnName[]): Subscription | undefined {
    const entries = this.#cache.watchable();
    // Of a name that was covered before everything is known up to where the last connection was.
    const joining = own.filter(({ name }) => !this.#names.has(name)).map(({ acceptedAt }) => acceptedAt);
    const positions = entries.map(({ position }) => position);
    if (entries.length === 0 && this.#names.size > 0) positions.push(this.#position);
    this.#covered = new Map(entries.map((entry) => [entry.name, entry]));
    this.#names = new Set([...this.#covered.keys(), ...own.map(({ name }) => name)].sort());
    if (this.#names.size === 0) return undefined;
    const resume = earliest([...positions, ...joining]);
    this.#position = resume;
    this.#based = resume !== undefined;
    return { names: [...this.#names], lastEventId: resume && formatPosition(resume) };
  }

  /** Applies what the registry told. */
  apply(message: WatchMessage): void {
    if (message.type === 'snapshot') this.#applySnapshot(message);
    else if (message.type === 'upsert') this.#applyChange(message.instance.name, message);
    else if (message.type === 'remove') this.#applyChange(message.name, message);
    this.#position = message.position ?? this.#position;
    if (!this.#based) return;
    if (!this.#live) this.#goLive();
    this.#armSweep();
  }

  /** The connection ended; the registry was last heard at `at`. From then on the lists age. */
  lost(at: number): void {
    this.#disarmSweep();
    if (!this.#live) return;
    this.#live = false;
    for (const entry of this.#covered.values()) {
      if (reaches(this.#position, entry.position)) entry.position = this.#position;
      entry.confirm(vary(this.#cache.ttlMs(entry), 0.1, this.#settings.random), at);
    }
  }

  /** Something told could not be understood: begin the next connection with a snapshot. */
  distrust(): void {
    this.#position = undefined;
    for (const entry of this.#covered.values()) entry.position = undefined;
  }

  #applySnapshot({ instances, position, hashes }: Extract<WatchMessage, { type: 'snapshot' }>): void {
    const lists = new Map<string, Instance[]>();
    for (const instance of instances) {
      const list = lists.get(instance.name);
      if (list) list.push(instance);
      else lists.set(instance.name, [instance]);
    }
    for (const entry of this.#covered.values()) {
      const missing = this.#missing(entry, position);
      const revision = position ? formatPosition(position) : '';
      this.#cache.change(entry, () => entry.replace(lists.get(entry.name) ?? [], revision, missing));
      entry.version += 1;
      entry.position = position;
      this.#compare(entry, hashes[entry.name]);
      if (entry.holdsUntil !== undefined) this.#holding.add(entry);
    }
    this.#based = true;
  }

  /** Only the run of the registry that knew an instance can tell that it is gone. */
  #missing(entry: ServiceEntry, position: Position | undefined): Missing {
    if (position === undefined) return 'hold';
    return entry.position?.epoch === position.epoch ? 'drop' : 'hold-anew';
  }

  #applyChange(name: string, message: Extract<WatchMessage, { type: 'upsert' | 'remove' }>): void {
    const entry = this.#covered.get(name);
    if (entry === undefined || reaches(entry.position, message.position)) return;
    const revision = message.position ? formatPosition(message.position) : '';
    this.#cache.change(entry, () => {
      if (message.type === 'upsert') entry.upsert(message.instance, revision);
      else entry.remove(message.id, revision);
      return [];
    });
    entry.version += 1;
    entry.position = message.position ?? entry.position;
    this.#compare(entry, message.hash);
  }

  /** Whether the list is what the registry says it is; if not, it is asked for anew, a moment later and not too often. */
  #compare(entry: ServiceEntry, hash: unknown): void {
    if (typeof hash !== 'string' || hash === entry.hash) return;
    const { clock, timers, random } = this.#settings;
    if (clock.now() - (this.#reloadedAt.get(entry) ?? -Infinity) < reloadSpacingMs) return;
    this.#reloadedAt.set(entry, clock.now());
    this.#settings.emit({ type: 'diverged', name: entry.name });
    timers.set(() => void this.#cache.reload(entry), (random() * reloadSpacingMs) / 5);
  }

  #goLive(): void {
    this.#live = true;
    for (const entry of this.#covered.values()) entry.goLive();
    this.#settings.emit({ type: 'watching', names: [...this.#names] });
  }

  /**
   * Drops held instances whose time is up, but only while the registry can be heard (silence is no evidence against them)
   * and a moment after it is heard again (their registrations may be the next messages).
   */
  #armSweep(): void {
    const { timers, clock } = this.#settings;
    let dueAt = Infinity;
    for (const entry of this.#holding) dueAt = Math.min(dueAt, entry.holdsUntil ?? Infinity);
    if (dueAt === Infinity) return;
    dueAt = Math.max(dueAt, clock.now() + settlingMs);
    if (this.#sweepTimer !== undefined && this.#sweepAt <= dueAt) return;
    this.#disarmSweep();
    this.#sweepAt = dueAt;
    this.#sweepTimer = timers.set(() => {
      this.#sweepTimer = undefined;
      this.#sweep();
    }, dueAt - clock.now());
  }

  #disarmSweep(): void {
    this.#settings.timers.clear(this.#sweepTimer);
    this.#sweepTimer = undefined;
  }

  #sweep(): void {
    for (const entry of this.#holding) {
      this.#cache.change(entry, () => {
        entry.sweep();
        return [];
      });
      if (entry.holdsUntil === undefined) this.#holding.delete(entry);
    }
    this.#armSweep();
  }
}
