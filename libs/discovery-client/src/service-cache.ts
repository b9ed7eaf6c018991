import { Backoff, vary } from './backoff.ts';
import type { DiscoverySettings } from './discovery-client-options.ts';
import { closedError, DiscoveryError } from './discovery-error.ts';
import { HeldCheck } from './held-check.ts';
import type { CachedService, Instance, Resolution } from './instance.ts';
import { isServiceName } from './instance.ts';
import type { SavedList } from './list-snapshot.ts';
import type { Position } from './position.ts';
import { reaches } from './position.ts';
import type { ServiceList } from './registry-answer.ts';
import type { Missing } from './service-entry.ts';
import type { EntryView } from './service-entry.ts';
import { ServiceEntry } from './service-entry.ts';

/** Names that are remembered; the least recently used one makes room, names without any instance first. */
export const maximumNames = 1000;

/** A name that never had an instance is asked for again this soon: its first instance may come any moment. */
const unseenTtlMs = 1000;

/** Pace of refreshes that fail: callers with a list get it at once, so the registry is spared; those without wait little. */
const failing = { firstMs: 100, factor: 2, capMs: 5000, jitterRatio: 0.2 };
const failingUnseen = { ...failing, capMs: 1000 };

/** A registry that has not answered for this long makes whoever waits take what a former process knew. */
const patienceMs = 1000;

interface Failure {
  readonly error: unknown;
  readonly backoff: Backoff;
  readonly retryAt: number;
}

/** What the cache needs from the rest of the client. */
export interface CacheSupply {
  /** What the lists are, when they are not old. */
  readonly source: 'fresh' | 'static';
  /** Asks the registry for one service. */
  find(name: string, signal: AbortSignal): Promise<ServiceList>;
  /** What a former process knew about a service. */
  recall(name: string): Promise<SavedList | undefined>;
  /** Where the open watch stands, if one is open. */
  watchPosition(): Position | undefined;
  /** There is another service that is worth watching. */
  onWanted(): void;
  /** The registry vouched for a list, which may have changed by that. */
  onHeard(entry: ServiceEntry, isChanged: boolean): void;
}

/**
 * Lists of instances by service name.
 *
 *   absent --first use, waits--> fresh --ttl--> stale, served while ONE refresh runs --answer--> fresh
 *                                  \--- a watch covers it: live, never stale ---/
 *
 * A failed refresh leaves the list as it is, for up to `staleIfErrorMs`.
 */
export class ServiceCache {
  readonly #settings: DiscoverySettings;
  readonly #supply: CacheSupply;
  readonly #entries = new Map<string, ServiceEntry>();
  readonly #failures = new WeakMap<ServiceEntry, Failure>();
  readonly #closing = new AbortController();
  readonly #heldCheck: HeldCheck;
  /** Orders uses without asking the clock. */
  #uses = 0;

  constructor(settings: DiscoverySettings, supply: CacheSupply) {
    this.#settings = settings;
    this.#supply = supply;
    this.#heldCheck = new HeldCheck(settings, (entry, instance) => {
      this.change(entry, () => {
        entry.release(instance);
        return [];
      });
    });
  }

  /** What is cached, at once; starts a refresh in the background when that is due. */
  peek(name: string): Resolution | undefined {
    const entry = this.#use(name);
    return entry === undefined ? undefined : this.#serve(entry);
  }

  /** What is cached, or, where that is nothing, what the registry answers. Rejects only when there is neither. */
  resolve(name: string, signal?: AbortSignal): Promise<Resolution> {
    if (signal?.aborted === true) return Promise.reject(signal.reason as Error);
    if (this.#closing.signal.aborted) return Promise.reject(closedError());
    const entry = this.#use(name);
    if (entry === undefined) return new ServiceEntry(name, this.#settings.clock).view('fresh').asPromise();
    const view = this.#serve(entry);
    // An old list serves better than waiting, but an old empty list serves nobody.
    if (view !== undefined && (view.source === this.#supply.source || view.instances.length > 0))
      return view.asPromise();
    return this.#lookUp(entry, signal);
  }

  /** All names with what is known of them. */
  list(): readonly CachedService[] {
    return Array.from(this.#entries.values(), (entry) => ({
      name: entry.name,
      ttlMs: Math.round(Math.max(0, Math.min(entry.remainingMs, this.ttlMs(entry)))),
      instances: entry.instances.length,
      source: entry.remainingMs > 0 ? this.#supply.source : entry.staleSource,
    }));
  }

  /** The entries that a watch should cover. */
  watchable(): ServiceEntry[] {
    return [...this.#entries.values()].filter(({ seen, subscribers }) => seen || subscribers > 0);
  }

  /** Whether this is still the entry of its name. */
  has(entry: ServiceEntry): boolean {
    return this.#entries.get(entry.name) === entry;
  }

  /** All entries, the one used last first. */
  recent(): ServiceEntry[] {
    return [...this.#entries.values()].sort((a, b) => b.usedAt - a.usedAt);
  }

  /** The entry for somebody who wants to hear of its changes; undefined for a name that no registry can know. */
  adopt(name: string): ServiceEntry | undefined {
    const entry = this.#use(name);
    if (entry === undefined) return undefined;
    entry.subscribers += 1;
    if (entry.subscribers === 1 && !entry.seen) this.#supply.onWanted();
    return entry;
  }

  /** How long a list is fresh: the shortest heartbeat interval of its instances x `cacheMultiplier`. */
  ttlMs(entry: ServiceEntry): number {
    let interval = entry.instances.length > 0 ? Infinity : this.#settings.defaultHeartbeatInterval;
    for (const instance of entry.instances) interval = Math.min(interval, instance.heartbeatInterval);
    const ttlMs = interval * this.#settings.cacheMultiplier * 1000;
    return entry.seen ? ttlMs : Math.min(ttlMs, unseenTtlMs);
  }

  /** The registry is back: every failed refresh may be tried again at once. */
  forgive(): void {
    for (const entry of this.#entries.values()) this.#failures.delete(entry);
  }

  /** Applies a change and reports it if the list is another one afterwards. */
  change(entry: ServiceEntry, apply: () => readonly Instance[]): void {
    const { instances } = entry;
    const held = apply();
    if (held.length > 0) {
      this.#settings.emit({ type: 'held', name: entry.name, instances: held });
      this.#heldCheck.look(entry, held);
    }
    const isChanged = entry.instances !== instances;
    if (isChanged) this.#settings.emit({ type: 'changed', name: entry.name, instances: entry.instances });
    this.#supply.onHeard(entry, isChanged);
  }

  /** Takes a list that is kept up to date from now on, until {@link ServiceEntry.confirm} says otherwise. */
  follow(entry: ServiceEntry, list: ServiceList): void {
    this.change(entry, () => entry.replace(list.instances, list.revision, this.#missing(entry, list)));
    entry.version += 1;
    entry.goLive();
  }

  /** Asks for a list that is not what it should be, and takes the answer unless the watch is further by then. */
  async reload(entry: ServiceEntry): Promise<void> {
    try {
      const list = await this.#supply.find(entry.name, this.#closing.signal);
      if (list.position === undefined || !reaches(list.position, entry.position)) return;
      this.change(entry, () => entry.replace(list.instances, list.revision, 'drop'));
      entry.position = list.position;
      entry.version += 1;
    } catch (error) {
      if (!this.#closing.signal.aborted)
        this.#settings.emit({ type: 'refresh-failed', name: entry.name, error });
    }
  }

  /** Ends every refresh; all that wait are rejected. */
  close(): void {
    this.#closing.abort(closedError());
    this.#heldCheck.close();
  }

  /** What can be answered at once. */
  #serve(entry: ServiceEntry): EntryView | undefined {
    if (this.#isFresh(entry)) return entry.view(this.#supply.source);
    void this.#refresh(entry);
    return this.#isUsable(entry) ? entry.view(entry.staleSource) : undefined;
  }

  async #lookUp(entry: ServiceEntry, signal: AbortSignal | undefined): Promise<Resolution> {
    const flight = this.#refresh(entry);
    const error = flight === undefined ? this.#failures.get(entry)?.error : await settled(flight, signal);
    if (error instanceof DiscoveryError && error.code === 'ERR_DISCOVERY_CLOSED') throw error;
    if (!this.#isUsable(entry)) throw unavailable(entry.name, error);
    const isOld = error !== undefined || entry.staleSource === 'disk';
    return entry.view(isOld ? entry.staleSource : this.#supply.source);
  }

  /** Whether there is a list that may still be served. */
  #isUsable(entry: ServiceEntry): boolean {
    return entry.ageMs <= this.#settings.staleIfErrorMs;
  }

  /** The entry of this name; undefined when no registry can know it: it must not become part of a URL. */
  #use(name: string): ServiceEntry | undefined {
    const entry = this.#entries.get(name) ?? this.#create(name);
    if (entry !== undefined) entry.usedAt = ++this.#uses;
    return entry;
  }

  #create(name: string): ServiceEntry | undefined {
    if (!isServiceName(name)) return undefined;
    if (this.#entries.size >= maximumNames) this.#evict();
    const entry = new ServiceEntry(name, this.#settings.clock);
    this.#entries.set(name, entry);
    return entry;
  }

  #evict(): void {
    let victim: ServiceEntry | undefined;
    for (const entry of this.#entries.values()) {
      if (victim === undefined || dearer(victim, entry)) victim = entry;
    }
    if (victim) this.#entries.delete(victim.name);
  }

  /**
   * Fresh, and not chosen to refresh early: the closer the end, the likelier (XFetch: Vattani, Chierichetti, Lowenstein,
   * "Optimal Probabilistic Cache Stampede Prevention", 2015, beta = 1), so that a busy name is renewed before it expires.
   */
  #isFresh(entry: ServiceEntry): boolean {
    if (entry.live) return true;
    const { remainingMs, fetchMs } = entry;
    if (remainingMs <= 0) return false;
    if (remainingMs < fetchMs * 10 && remainingMs <= -fetchMs * Math.log(1 - this.#settings.random())) {
      void this.#refresh(entry);
    }
    return true;
  }

  /** The one refresh of this entry; undefined while the last failure is too recent or the client is closed. */
  #refresh(entry: ServiceEntry): Promise<unknown> | undefined {
    if (entry.flight !== undefined) return entry.flight;
    if (this.#closing.signal.aborted) return undefined;
    const failure = this.#failures.get(entry);
    if (failure !== undefined && failure.retryAt > this.#settings.clock.now()) return undefined;
    const loading = this.#load(entry).finally(() => {
      entry.flight = undefined;
    });
    entry.flight = entry.ageMs === Infinity ? this.#orRecalled(entry, loading) : loading;
    return entry.flight;
  }

  /** A first answer that is long in coming gives way to what a former process knew, if it knew anything. */
  #orRecalled(entry: ServiceEntry, loading: Promise<unknown>): Promise<unknown> {
    const { timers } = this.#settings;
    return new Promise((resolve) => {
      const timer = timers.set(() => {
        void this.#restore(entry).then(() => {
          if (entry.ageMs !== Infinity) resolve(undefined);
        });
      }, patienceMs);
      void loading.then((error) => {
        timers.clear(timer);
        resolve(error);
      });
    });
  }

  async #restore(entry: ServiceEntry): Promise<void> {
    const saved = await this.#supply.recall(entry.name);
    if (saved === undefined || entry.ageMs !== Infinity || this.#closing.signal.aborted) return;
    this.change(entry, () => {
      entry.restore(saved);
      return [];
    });
    if (entry.seen) this.#supply.onWanted();
  }

  async #load(entry: ServiceEntry): Promise<unknown> {
    const { clock } = this.#settings;
    const { version } = entry;
    const startedAt = clock.now();
    // The answer is at least as new as what the watch had told before the question.
    const since = this.#supply.watchPosition();
    try {
      const list = await this.#supply.find(entry.name, this.#closing.signal);
      entry.fetchMs = clock.now() - startedAt;
      this.#failures.delete(entry);
      // What the watch told meanwhile may be newer than this answer.
      if (!entry.live && entry.version === version) this.#accept(entry, list, since);
      return undefined;
    } catch (error) {
      if (this.#closing.signal.aborted) return error;
      if (entry.ageMs === Infinity) await this.#restore(entry);
      this.#fail(entry, error);
      return error;
    }
  }

  #accept(entry: ServiceEntry, list: ServiceList, since: Position | undefined): void {
    const wasSeen = entry.seen;
    this.change(entry, () => entry.replace(list.instances, list.revision, this.#missing(entry, list)));
    entry.position = reaches(since, list.position) ? since : (list.position ?? since ?? entry.position);
    const ttlMs = list.ttlMs ?? this.ttlMs(entry);
    entry.confirm(vary(ttlMs, 0.1, this.#settings.random));
    if (entry.seen && !wasSeen) this.#supply.onWanted();
  }

  #fail(entry: ServiceEntry, error: unknown): void {
    const { clock, random } = this.#settings;
    const backoff =
      this.#failures.get(entry)?.backoff ??
      new Backoff(random, this.#isUsable(entry) ? failing : failingUnseen);
    this.#failures.set(entry, { error, backoff, retryAt: clock.now() + backoff.next() });
    this.#settings.emit({ type: 'refresh-failed', name: entry.name, error });
  }

  /**
   * Absences are believed of a registry that knew the instances, and doubted of one that may have just restarted. One that
   * does not say which run of it answers is doubted when it takes away too many at once.
   */
  #missing(entry: ServiceEntry, list: ServiceList): Missing {
    if (this.#supply.source === 'static') return 'drop';
    if (list.position !== undefined && entry.position !== undefined)
      return list.position.epoch === entry.position.epoch ? 'drop' : 'hold-anew';
    const { guardRatio } = this.#settings;
    const listed = new Set(list.instances.map(({ id }) => id));
    const gone = entry.instances.filter(({ id }) => !listed.has(id)).length;
    const isEmptied = list.instances.length === 0 && guardRatio < 1;
    return isEmptied || gone > entry.instances.length * guardRatio ? 'hold' : 'drop';
  }
}

/** Whether `b` should go before `a`. */
function dearer(a: ServiceEntry, b: ServiceEntry): boolean {
  if (a.subscribers > 0 !== b.subscribers > 0) return a.subscribers > 0;
  return a.seen === b.seen ? b.usedAt < a.usedAt : a.seen;
}

/** The result of a flight that others share: the caller may leave, the flight goes on. */
function settled(flight: Promise<unknown>, signal: AbortSignal | undefined): Promise<unknown> {
  if (signal === undefined) return flight;
  return new Promise((resolve, reject) => {
    const leave = (): void => {
      reject(signal.reason as Error);
    };
    signal.addEventListener('abort', leave, { once: true });
    void flight.then((error) => {
      signal.removeEventListener('abort', leave);
      resolve(error);
    });
  });
}

function unavailable(name: string, cause: unknown): DiscoveryError {
  const details = cause instanceof DiscoveryError ? cause : undefined;
  return new DiscoveryError(
    details?.code ?? 'ERR_DISCOVERY_UNAVAILABLE',
    `nothing is known about the service ${name}: ${cause instanceof Error ? cause.message : 'the registry does not answer'}`,
    {
      cause,
      ...(details?.status !== undefined && { status: details.status }),
      ...(details?.reason !== undefined && { reason: details.reason }),
      ...(details?.retryAfterMs !== undefined && { retryAfterMs: details.retryAfterMs }),
    },
  );
}
