import type { Instance, Resolution, ResolutionSource } from './instance.ts';
import { leaseMs, sameInstance } from './instance.ts';
import type { Position } from './position.ts';
import { parsePosition } from './position.ts';
import type { SavedList } from './list-snapshot.ts';
import { combineHash, emptyHash, formatHash, instanceHash } from './set-hash.ts';
import type { Clock } from './timers.ts';

/**
 * What to do with an instance that an answer of the registry no longer lists:
 * - `drop`: the registry knew it and says it is gone;
 * - `hold`: the registry may have restarted and not heard of it yet: keep it for one lease, counted from the first such answer;
 * - `hold-anew`: the registry did restart: keep it for one lease from now.
 */
export type Missing = 'drop' | 'hold' | 'hold-anew';

/** Whoever was waiting to try again when the registry came back (10 s and jitter) needs this long, however short its lease. */
const minimumHoldMs = 15_000;

/** The empty list; always this one, so that `===` tells. */
export const none: readonly Instance[] = Object.freeze([]);

/** All that is known about one service: its instances, how sure that is, and the frozen answers made of it. */
export class ServiceEntry {
  readonly name: string;
  /** Where in the registry's history the list is from; watch events at or before it are in the list already. */
  position: Position | undefined;
  /** Counts changes by the watch: an answer that was asked for under another version may be older than the list. */
  version = 0;
  /** Whether the service ever had an instance; only then is it worth a place in the watch. */
  seen = false;
  /** Order of the last use, for eviction. */
  usedAt = 0;
  /** How many want to hear of changes; such a name is refreshed although nobody asks. */
  subscribers = 0;
  /** Milliseconds the last refresh took. */
  fetchMs = 0;
  /** The refresh under way, if any. Resolves with its error, never rejects. */
  flight: Promise<unknown> | undefined;
  readonly #clock: Clock;
  readonly #known = new Map<string, Instance>();
  readonly #heldUntil = new Map<string, number>();
  #hash = emptyHash;
  #instances = none;
  #revision = '';
  #live = false;
  #confirmedAt: number | undefined;
  #expiresAt = -Infinity;
  #views = new Map<ResolutionSource, EntryView>();
  #fromDisk = false;

  constructor(name: string, clock: Clock) {
    this.name = name;
    this.#clock = clock;
  }

  /** Frozen, ordered by id, and the same array until something changes. */
  get instances(): readonly Instance[] {
    return this.#instances;
  }

  /** A watch delivers every change, so the list cannot be old. */
  get live(): boolean {
    return this.#live;
  }

  /** Milliseconds since the registry vouched for the list; 0 while live, Infinity when it never did. */
  get ageMs(): number {
    if (this.#live) return 0;
    return this.#confirmedAt === undefined ? Infinity : Math.max(0, this.#clock.now() - this.#confirmedAt);
  }

  /** Milliseconds until a refresh is due; Infinity while live, negative when overdue. */
  get remainingMs(): number {
    return this.#live ? Infinity : this.#expiresAt - this.#clock.now();
  }

  /** Set hash of what the registry listed: without those that are held. */
  get hash(): string {
    return formatHash(this.#hash);
  }

  get revision(): string {
    return this.#revision;
  }

  /** What an answer is that is not fresh. */
  get staleSource(): 'stale' | 'disk' {
    return this.#fromDisk ? 'disk' : 'stale';
  }

  /** The registry vouched for the list just now (or at `at`); it is fresh for `ttlMs`. */
  confirm(ttlMs: number, at = this.#clock.now()): void {
    this.#live = false;
    this.#fromDisk = false;
    this.#confirmedAt = at;
    this.#expiresAt = at + ttlMs;
  }

  /** From now on a watch delivers every change. */
  goLive(): void {
    this.#live = true;
    this.#fromDisk = false;
    this.#confirmedAt = this.#clock.now();
  }

  /** Begins with what a former process knew: good until the registry says anything. */
  restore({ instances, revision, ageMs }: SavedList): void {
    for (const instance of instances) this.#put(instance);
    this.#publish(revision);
    this.position = parsePosition(revision);
    this.#confirmedAt = this.#clock.now() - ageMs;
    this.#fromDisk = true;
  }

  /** The list as an answer. The same object while neither the list nor its source changes: looking up allocates nothing. */
  view(source: ResolutionSource): EntryView {
    let view = this.#views.get(source);
    if (view === undefined) this.#views.set(source, (view = new EntryView(this, this.#revision, source)));
    return view;
  }

  /** Takes over a whole list. Answers the instances that are held although it lacks them, if that is news. */
  replace(list: readonly Instance[], revision: string, missing: Missing): readonly Instance[] {
    const listed = new Map(list.map((instance) => [instance.id, instance]));
    const taken = new Set(list.map(address));
    const newlyHeld: Instance[] = [];
    for (const old of this.#known.values()) {
      if (listed.has(old.id)) continue;
      if (!taken.has(address(old)) && this.#hold(old, missing, newlyHeld)) continue;
      this.#forget(old.id);
    }
    for (const instance of list) this.#put(instance);
    this.#publish(revision);
    return newlyHeld;
  }

  /** One instance came or changed. */
  upsert(instance: Instance, revision: string): void {
    for (const id of this.#heldUntil.keys()) {
      const held = this.#known.get(id);
      if (held && id !== instance.id && address(held) === address(instance)) this.#forget(id);
    }
    this.#put(instance);
    this.#publish(revision);
  }

  /** One instance is gone for certain. */
  remove(id: string, revision: string): void {
    this.#forget(id);
    this.#publish(revision);
  }

  /** When the first held instance's time is up; undefined when none is held. */
  get holdsUntil(): number | undefined {
    let first: number | undefined;
    for (const until of this.#heldUntil.values()) first = Math.min(first ?? until, until);
    return first;
  }

  /** Whether this very instance is held, so neither listed again nor given up. */
  holds(instance: Instance): boolean {
    return this.#heldUntil.has(instance.id) && this.#known.get(instance.id) === instance;
  }

  /** Gives a held instance up before its time. */
  release(instance: Instance): void {
    if (this.holds(instance)) this.remove(instance.id, this.#revision);
  }

  /** Drops the held instances whose lease ran out without a sign of life. */
  sweep(): void {
    const now = this.#clock.now();
    for (const [id, until] of this.#heldUntil) if (until <= now) this.#forget(id);
    this.#publish(this.#revision);
  }

  #hold(instance: Instance, missing: Missing, newlyHeld: Instance[]): boolean {
    const now = this.#clock.now();
    const since = this.#heldUntil.get(instance.id);
    if (since === undefined && missing === 'drop') return false;
    const until =
      since === undefined || missing === 'hold-anew'
        ? now + Math.max(leaseMs(instance), minimumHoldMs)
        : since;
    if (since === undefined) {
      newlyHeld.push(instance);
      this.#toggle(instance);
    }
    this.#heldUntil.set(instance.id, until);
    return until > now;
  }

  #put(instance: Instance): void {
    const isListed = !this.#heldUntil.delete(instance.id);
    const old = this.#known.get(instance.id);
    const next = old !== undefined && sameInstance(old, instance) ? old : instance;
    if (next === old && isListed) return;
    if (old !== undefined && isListed) this.#toggle(old);
    this.#toggle(next);
    this.#known.set(next.id, next);
  }

  #forget(id: string): void {
    const isListed = !this.#heldUntil.delete(id);
    const old = this.#known.get(id);
    if (old !== undefined && isListed) this.#toggle(old);
    this.#known.delete(id);
  }

  #toggle(instance: Instance): void {
    this.#hash = combineHash(this.#hash, instanceHash(instance));
  }

  #publish(revision: string): void {
    const next = [...this.#known.values()].sort((a, b) => (a.id < b.id ? -1 : 1));
    const last = this.#instances;
    const changed = next.length !== last.length || next.some((instance, index) => instance !== last[index]);
    if (!changed && revision === this.#revision) return;
    if (changed) this.#instances = next.length === 0 ? none : Object.freeze(next);
    this.#revision = revision;
    this.#views = new Map();
    this.seen ||= next.length > 0;
  }
}

/** A frozen answer whose age goes on counting. */
export class EntryView implements Resolution {
  readonly instances: readonly Instance[];
  readonly revision: string;
  readonly source: Resolution['source'];
  readonly #entry: ServiceEntry;
  readonly #promise: Promise<Resolution>;

  constructor(entry: ServiceEntry, revision: string, source: Resolution['source']) {
    this.#entry = entry;
    this.instances = entry.instances;
    this.revision = revision;
    this.source = source;
    this.#promise = Promise.resolve(this);
    Object.freeze(this);
  }

  get ageMs(): number {
    return this.#entry.ageMs;
  }

  /** The answer as a promise that is made once. */
  asPromise(): Promise<Resolution> {
    return this.#promise;
  }
}

function address(instance: Instance): string {
  return `${instance.host}:${instance.port}`;
}
