import { Backoff, vary } from './backoff.ts';
import type { DiscoverySettings } from './discovery-client-options.ts';
import { closedError, DiscoveryError } from './discovery-error.ts';
import type { CachedService, Instance, Resolution } from './instance.ts';
import { isServiceName } from './instance.ts';
import type { Position } from './position.ts';
import { reaches } from './position.ts';
import type { ServiceList } from './registry-answer.ts';
import type { Missing } from './service-entry.ts';
import { ServiceEntry } from './service-entry.ts';

/** Names that are remembered; the least recently used one makes room, names without any instance first. */
export const maximumNames = 1000;

/** A name that never had an instance is asked for again this soon: its first instance may come any moment. */
const unseenTtlMs = 1000;

/** Pace of refreshes that fail: callers with a list get it at once, so the registry is spared; those without wait little. */
const failing = { firstMs: 100, factor: 2, capMs: 5000, jitterRatio: 0.2 };
const failingUnseen = { ...failing, capMs: 1000 };

interface Failure {
  readonly error: unknown;
  readonly backoff: Backoff;
  readonly retryAt: number;
}

/** What the cache needs from the rest of the client. */
export interface CacheSupply {
  /** Asks the registry for one service. */
  load(name: string, signal: AbortSignal): Promise<ServiceList>;
  /** Where the open watch stands, if one is open. */
  watchPosition(): Position | undefined;
  /** A service got its first instance: it is worth watching from now on. */
  onSeen(): void;
}

/**
 * Lists of instances by service name.
 *
 *   absent --first use, waits--> fresh --ttl--> stale, served while ONE refresh runs --answer--> fresh
 *                                  \--- a watch covers it: live, never stale ---/
 *
 * A failed refresh leaves the list as it is, for up to 24 hours.
 */
export class ServiceCache {
  readonly #settings: DiscoverySettings;
  readonly #supply: CacheSupply;
  readonly #entries = new Map<string, ServiceEntry>();
  readonly #failures = new WeakMap<ServiceEntry, Failure>();
  readonly #closing = new AbortController();
  /** Orders uses without asking the clock. */
  #uses = 0;

  constructor(settings: DiscoverySettings, supply: CacheSupply) {
    this.#settings = settings;
    this.#supply = supply;
  }

  /** What is cached, at once; starts a refresh in the background when that is due. */
  peek(name: string): Resolution | undefined {
    const entry = this.#use(name);
    if (entry === undefined) return undefined;
    if (this.#isFresh(entry)) return entry.view('fresh');
    void this.#refresh(entry);
    return entry.usable ? entry.view('stale') : undefined;
  }

  /** What is cached, or, where that is nothing, what the registry answers. Rejects only when there is neither. */
  async resolve(name: string, signal?: AbortSignal): Promise<Resolution> {
    signal?.throwIfAborted();
    if (this.#closing.signal.aborted) throw closedError();
    const entry = this.#use(name);
    if (entry === undefined) return new ServiceEntry(name, this.#settings.clock).view('fresh');
    if (this.#isFresh(entry)) return entry.view('fresh');
    const flight = this.#refresh(entry);
    // An old list serves better than waiting, but an old empty list serves nobody.
    if (entry.usable && entry.instances.length > 0) return entry.view('stale');
    const error = flight === undefined ? this.#failures.get(entry)?.error : await settled(flight, signal);
    if (error instanceof DiscoveryError && error.code === 'ERR_DISCOVERY_CLOSED') throw error;
    if (!entry.usable) throw unavailable(name, error);
    return entry.view(error === undefined ? 'fresh' : 'stale');
  }

  /** All names with what is known of them. */
  list(): readonly CachedService[] {
    return Array.from(this.#entries.values(), (entry) => ({
      name: entry.name,
      ttlMs: Math.round(Math.max(0, Math.min(entry.remainingMs, this.ttlMs(entry)))),
      instances: entry.instances.length,
      source: entry.remainingMs > 0 ? 'fresh' : 'stale',
    }));
  }

  /** The entries that a watch should cover. */
  watchable(): ServiceEntry[] {
    return [...this.#entries.values()].filter((entry) => entry.seen);
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
    if (held.length > 0) this.#settings.emit({ type: 'held', name: entry.name, instances: held });
    if (entry.instances === instances) return;
    this.#settings.emit({ type: 'changed', name: entry.name, instances: entry.instances });
  }

  /** Ends every refresh; all that wait are rejected. */
  close(): void {
    this.#closing.abort(closedError());
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
    entry.flight = this.#load(entry).finally(() => {
      entry.flight = undefined;
    });
    return entry.flight;
  }

  async #load(entry: ServiceEntry): Promise<unknown> {
    const { clock } = this.#settings;
    const { version } = entry;
    const startedAt = clock.now();
    // The answer is at least as new as what the watch had told before the question.
    const since = this.#supply.watchPosition();
    try {
      const list = await this.#supply.load(entry.name, this.#closing.signal);
      entry.fetchMs = clock.now() - startedAt;
      this.#failures.delete(entry);
      // What the watch told meanwhile may be newer than this answer.
      if (!entry.live && entry.version === version) this.#accept(entry, list, since);
      return undefined;
    } catch (error) {
      if (!this.#closing.signal.aborted) this.#fail(entry, error);
      return error;
    }
  }

  #accept(entry: ServiceEntry, list: ServiceList, since: Position | undefined): void {
    const wasSeen = entry.seen;
    this.change(entry, () => entry.replace(list.instances, list.revision, missing(entry, list)));
    entry.position = reaches(since, list.position) ? since : (list.position ?? since ?? entry.position);
    entry.confirm(vary(this.ttlMs(entry), 0.1, this.#settings.random));
    if (entry.seen && !wasSeen) this.#supply.onSeen();
  }

  #fail(entry: ServiceEntry, error: unknown): void {
    const { clock, random } = this.#settings;
    const backoff =
      this.#failures.get(entry)?.backoff ?? new Backoff(random, entry.usable ? failing : failingUnseen);
    this.#failures.set(entry, { error, backoff, retryAt: clock.now() + backoff.next() });
    this.#settings.emit({ type: 'refresh-failed', name: entry.name, error });
  }
}

/** Whether `b` should go before `a`. */
function dearer(a: ServiceEntry, b: ServiceEntry): boolean {
  return a.seen === b.seen ? b.usedAt < a.usedAt : a.seen;
}

/** An answer is believed about absences unless it may come from a registry that has just restarted. */
function missing(entry: ServiceEntry, list: ServiceList): Missing {
  if (list.position !== undefined && entry.position !== undefined) {
    return list.position.epoch === entry.position.epoch ? 'drop' : 'hold-anew';
  }
  return list.instances.length === 0 ? 'hold' : 'drop';
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
