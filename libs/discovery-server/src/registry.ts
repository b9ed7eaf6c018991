import type { Clock, Instance, Random, Resolution, Timers } from '@mesh/discovery-client';
import { normalizeHost } from './address.ts';
import { ChangeFeed } from './change-feed.ts';
import type { Change, RemoveReason } from './change-log.ts';
import { Directory } from './directory.ts';
import { defaultId, InstanceRecord, instanceOf } from './instance-record.ts';
import { LeaseTable } from './lease-table.ts';
import { integerOption } from './options.ts';
import { platformTimers } from './platform-timers.ts';
import type { DeregistrationRequest, HeartbeatRequest, Lease, RegistrationRequest } from './registration.ts';
import { RegistryError } from './registry-error.ts';
import type { ServiceView } from './service-entry.ts';

const nobody: readonly Instance[] = Object.freeze([]);

/** Options of a {@link Registry}. */
export interface RegistryOptions {
  /** The most instances it takes; the next one is refused with `ERR_UNAVAILABLE`. Default 100 000. */
  readonly maximumInstances?: number;
  /** Changes that are kept for watchers that come back. Default 10 000. */
  readonly changeLogSize?: number;
  /** Monotonic, milliseconds; leases run on it. Default `performance`. */
  readonly clock?: Clock;
  /** Wall clock, milliseconds since 1970; only for times that are shown. Default `Date`. */
  readonly wallClock?: Clock;
  /** Default: the platform's timers, which do not keep the process alive. */
  readonly timers?: Timers;
  /** Makes up epochs and incarnations. Default `Math.random`. */
  readonly random?: Random;
}

/** Answer to a heartbeat. */
export interface Renewal {
  readonly lease: Lease;
  /** Position of the last change of the service; whoever watches has seen it once a later or equal position came by. */
  readonly revision: string;
}

/** Answer to a registration. */
export interface Registered extends Renewal {
  readonly instance: Instance;
  /** Whether the instance was not listed before. */
  readonly created: boolean;
}

/**
 * Who is there: instances with leases, and a feed of what changes. It knows nothing of HTTP.
 *
 *     register ──> up ──heartbeat──> up ──last heartbeat + 1.5 x interval──> gone ("expired")
 *                  │ └──another id or name registers the same address────> gone ("replaced")
 *                  └──deregister─────────────────────────────────────────> gone ("deregistered")
 *
 * A lease is counted on a monotonic clock that stands still while the process stalls (see `LeaseClock`), and every method
 * first ends the leases that ran out: nobody is shown an instance past its lease, however late a timer is.
 */
export class Registry {
  readonly #directory = new Directory();
  readonly #leases: LeaseTable<InstanceRecord>;
  readonly #feed: ChangeFeed;
  readonly #maximumInstances: number;
  readonly #clock: Clock;
  readonly #wallClock: Clock;
  readonly #random: Random;
  readonly #startedAtMs: number;

  /** @throws RangeError naming an option that is out of range. */
  constructor(options: RegistryOptions = {}) {
    const { maximumInstances = 100_000, changeLogSize = 10_000, timers = platformTimers } = options;
    this.#maximumInstances = integerOption('registry: maximumInstances', maximumInstances, 1, 10_000_000);
    integerOption('registry: changeLogSize', changeLogSize, 1, 1_000_000);
    this.#clock = options.clock ?? performance;
    this.#wallClock = options.wallClock ?? Date;
    this.#random = options.random ?? Math.random;
    this.#leases = new LeaseTable({
      clock: this.#clock,
      timers,
      onExpired: (record) => {
        this.#remove(record, 'expired');
      },
    });
    this.#startedAtMs = this.#clock.now();
    this.#feed = new ChangeFeed(this.#makeToken(), changeLogSize);
  }

  /** Names this run of the registry: positions of another run mean nothing here. */
  get epoch(): string {
    return this.#feed.epoch;
  }

  /** Position of the last change of all, `epoch:revision`. */
  get revision(): string {
    this.#leases.sweep();
    return this.#feed.position;
  }

  /** Number of living instances. */
  get size(): number {
    this.#leases.sweep();
    return this.#leases.size;
  }

  /** Number of names with a living instance. */
  get serviceCount(): number {
    this.#leases.sweep();
    return this.#directory.size;
  }

  /** Milliseconds since it was made. */
  get uptimeMs(): number {
    return this.#clock.now() - this.#startedAtMs;
  }

  /** The wall clock's time, ISO 8601. */
  get timestamp(): string {
    return new Date(this.#wallClock.now()).toISOString();
  }

  /**
   * Lists an instance, or renews it. The same content again announces nothing. Whoever else held that address is removed.
   *
   * @throws RegistryError `ERR_INCARNATION_STALE` when another process has taken this instance or address over since,
   * `ERR_UNAVAILABLE` when the registry is full.
   */
  register(registration: RegistrationRequest): Registered {
    this.#leases.sweep();
    const request = { ...registration, host: normalizeHost(registration.host) };
    const existing = this.#directory.service(request.name)?.get(request.id ?? defaultId(request));
    const holder = this.#directory.at(request.host, request.port);
    for (const known of [existing, holder]) known?.refuseSuperseded(request.incarnation);
    if (existing === undefined && holder === undefined) this.#refuseWhenFull();
    const evicted = holder === existing ? undefined : holder;
    if (evicted !== undefined) this.#remove(evicted, 'replaced');
    const record = this.#store(existing, request);
    if (evicted !== undefined) record.takeOver(evicted, request.incarnation !== undefined);
    return { instance: record.describe(), created: existing === undefined, ...this.#renew(record) };
  }

  /**
   * Renews the lease of an instance.
   *
   * @throws RegistryError `ERR_INSTANCE_UNKNOWN` when it has none (register again), `ERR_INCARNATION_STALE` when
   * another process has taken it over.
   */
  heartbeat(request: HeartbeatRequest): Renewal {
    this.#leases.sweep();
    const record = this.#directory.locate({ ...request, host: normalizeHost(request.host) });
    const { heartbeatInterval = record.instance.heartbeatInterval } = request;
    if (heartbeatInterval !== record.instance.heartbeatInterval) {
      this.#upsert(record, Object.freeze({ ...record.describe(), heartbeatInterval }));
    }
    record.beat(this.#wallClock.now());
    return this.#renew(record);
  }

  /**
   * Removes an instance at once.
   *
   * @returns the instance as it was.
   * @throws RegistryError `ERR_INSTANCE_UNKNOWN`, `ERR_INSTANCE_AMBIGUOUS`, or `ERR_INCARNATION_STALE` when an incarnation
   * is given and the instance has another one.
   */
  deregister(request: DeregistrationRequest): Instance {
    this.#leases.sweep();
    const record = this.#directory.only(request);
    const { incarnation = record.instance.incarnation } = request;
    if (incarnation !== record.instance.incarnation) throw record.stale();
    const instance = record.describe();
    this.#remove(record, 'deregistered');
    return instance;
  }

  /** All services by name, with their instances. */
  list(): readonly ServiceView[] {
    this.#leases.sweep();
    const views = Array.from(this.#directory.services(), (service) => service.view());
    return views.sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  /** One service with its instances, undefined when it has none. */
  find(name: string): ServiceView | undefined {
    this.#leases.sweep();
    return this.#directory.service(name)?.view();
  }

  /** Position of the last change of one service, undefined when it has no instance. */
  revisionOf(name: string): string | undefined {
    this.#leases.sweep();
    return this.#directory.service(name)?.revision;
  }

  /** Every instance of these services, or of all. */
  instances(names?: Iterable<string>): readonly Instance[] {
    this.#leases.sweep();
    return Array.from(this.#directory.services(names), (service) => service.describe()).flat();
  }

  /**
   * The instances of a service for callers within this process: frozen and the same object until the service changes,
   * without any copying. Their `lastHeartbeat` is that of the last change. Undefined when there is none.
   */
  peek(name: string): Resolution | undefined {
    this.#leases.sweep();
    return this.#directory.service(name)?.resolution();
  }

  /** Like {@link Registry.peek}, with no instances instead of undefined. */
  resolve(name: string): Promise<Resolution> {
    const none = { instances: nobody, revision: this.revision, ageMs: 0, source: 'fresh' } as const;
    return Promise.resolve(this.peek(name) ?? none);
  }

  /** The changes after a position, oldest first; undefined when they are not known (any more): begin with all instances. */
  changesSince(position: string): readonly Change[] | undefined {
    this.#leases.sweep();
    return this.#feed.since(position);
  }

  /**
   * Calls the listener for every change, in order, while it happens. What a listener throws is dropped.
   *
   * @returns a function that ends it.
   */
  subscribe(listener: (change: Change) => void): () => void {
    return this.#feed.subscribe(listener);
  }

  /** Stops its timer and its feed. What is registered stays readable, and no lease ends any more by itself. */
  close(): void {
    this.#leases.close();
    this.#feed.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #store(existing: InstanceRecord | undefined, request: RegistrationRequest): InstanceRecord {
    const now = this.#wallClock.now();
    const incarnation = request.incarnation ?? existing?.instance.incarnation ?? this.#makeToken();
    const instance = instanceOf({ ...request, incarnation }, now, existing?.instance);
    const record = existing ?? new InstanceRecord(instance, now);
    record.beat(now);
    if (existing === undefined || instance !== existing.instance) this.#upsert(record, instance);
    return record;
  }

  #upsert(record: InstanceRecord, instance: Instance): void {
    this.#directory.set(record, instance, this.#feed.nextPosition);
    // Before anybody is told, so that whoever counts on being told counts right.
    this.#leases.grant(record, record.leaseMs);
    this.#feed.publish({ type: 'upsert', name: instance.name, instance });
  }

  #remove(record: InstanceRecord, reason: RemoveReason): void {
    const { name, id } = record.instance;
    this.#leases.release(record);
    this.#directory.delete(record, this.#feed.nextPosition);
    this.#feed.publish({ type: 'remove', name, id, reason });
  }

  #renew(record: InstanceRecord): Renewal {
    const durationMs = record.leaseMs;
    this.#leases.grant(record, durationMs);
    const expiresAt = new Date(record.lastHeartbeatMs + durationMs).toISOString();
    const revision = this.#directory.service(record.instance.name)?.revision ?? this.#feed.position;
    return { lease: { durationMs, expiresAt }, revision };
  }

  #refuseWhenFull(): void {
    if (this.#leases.size < this.#maximumInstances) return;
    const detail = `the registry is full: it takes ${this.#maximumInstances} instances`;
    throw new RegistryError('ERR_UNAVAILABLE', detail, 10_000);
  }

  /** Different from run to run and hard to hit by accident: the time and 52 random bits. */
  #makeToken(): string {
    const time = Math.max(0, Math.trunc(this.#wallClock.now())).toString(36);
    return `${time}-${Math.floor(this.#random() * 2 ** 52).toString(36)}`;
  }
}
