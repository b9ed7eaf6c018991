import type { Clock, Instance, Random, Timers } from '@mesh/discovery-client';
import { normalizeHost } from './address.ts';
import { ChangeFeed } from './change-feed.ts';
import type { RemoveReason } from './change-log.ts';
import { Directory } from './directory.ts';
import { defaultId, InstanceRecord, instanceOf, isSameContent } from './instance-record.ts';
import type { Mark, Override } from './instance-record.ts';
import { isoTime } from './iso-time.ts';
import type { LeaseJudge, LeaseVerdict } from './lease-judge.ts';
import { LeaseTable } from './lease-table.ts';
import { integerOption } from './options.ts';
import { Overrides } from './overrides.ts';
import type { OverrideChange, StoredOverride } from './overrides.ts';
import { platformTimers } from './platform-timers.ts';
import type {
  DeregistrationRequest,
  HeartbeatRequest,
  InstanceIdentity,
  Lease,
  RegistrationRequest,
} from './registration.ts';
import { RegistryError } from './registry-error.ts';
import { RegistryView } from './registry-view.ts';
import { serviceKey } from './service-key.ts';
import { contentOf } from './stored-instance.ts';
import type { StoredInstance } from './stored-instance.ts';

/** Options of a {@link Registry}. */
export interface RegistryOptions {
  /** The most instances it takes; the next one is refused with `ERR_UNAVAILABLE`. Default 100 000. */
  readonly maximumInstances?: number;
  /** Changes that are kept for watchers that come back. Default 10 000. */
  readonly changeLogSize?: number;
  /** Instances that an operator may have decided about. Default 10 000. */
  readonly maximumOverrides?: number;
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

/** What becomes of a heartbeat in a batch. */
export type BeatResult = Renewal | RegistryError;

/** Milliseconds more that another server has, which hears the heartbeats itself, to end a lease before this one does. */
const remoteGraceMs = 2000;

/**
 * Who is there: instances with leases, and a feed of what changes. It knows nothing of HTTP.
 *
 *     register ──> listed ──heartbeat──> listed ──last heartbeat + 1.5 x interval──> judged
 *                  │ └──another id or name registers the same address────> gone ("replaced")
 *                  └──deregister─────────────────────────────────────────> gone ("deregistered")
 *
 *     judged ──remove (the default)──> gone ("expired")
 *            ├─suspect──> hidden for as long again, then judged; a sign of life lists it again
 *            └─protect──> listed and marked, then judged; a sign of life takes the mark away
 *
 * A lease is counted on a monotonic clock that stands still while the process stalls (see `LeaseClock`), and every method
 * first ends the leases that ran out: nobody is shown an instance past its lease, however late a timer is.
 */
export class Registry extends RegistryView {
  readonly #maximumInstances: number;
  readonly #random: Random;
  readonly #overrides: Overrides;
  readonly #judges = new Set<LeaseJudge>();
  readonly #overrideListeners = new Set<(override: StoredOverride) => void>();
  readonly #beatListeners = new Set<(record: InstanceRecord) => void>();

  /** @throws RangeError naming an option that is out of range. */
  constructor(options: RegistryOptions = {}) {
    const { maximumInstances = 100_000, changeLogSize = 10_000, timers = platformTimers } = options;
    const { maximumOverrides = 10_000 } = options;
    integerOption('registry: maximumInstances', maximumInstances, 1, 10_000_000);
    integerOption('registry: changeLogSize', changeLogSize, 1, 1_000_000);
    integerOption('registry: maximumOverrides', maximumOverrides, 0, 1_000_000);
    const { clock = performance, wallClock = Date, random = Math.random } = options;
    super({
      directory: new Directory(),
      leases: new LeaseTable({
        clock,
        timers,
        onExpired: (record) => {
          this.#leaseEnded(record);
        },
      }),
      feed: new ChangeFeed(makeToken(wallClock, random), changeLogSize),
      clock,
      wallClock,
    });
    this.#random = random;
    this.#maximumInstances = maximumInstances;
    this.#overrides = new Overrides(maximumOverrides);
  }

  /**
   * Lists an instance, or renews it. The same content again announces nothing. Whoever else held that address is removed.
   *
   * @throws RegistryError `ERR_INCARNATION_STALE` when another process has taken this instance or address over since,
   * `ERR_UNAVAILABLE` when the registry is full.
   */
  register(registration: RegistrationRequest): Registered {
    this.leases.sweep();
    const request = { ...registration, host: normalizeHost(registration.host) };
    const existing = this.directory.service(serviceKey(request))?.get(request.id ?? defaultId(request));
    const holder = this.directory.at(request.host, request.port);
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
    this.leases.sweep();
    const record = this.directory.locate(request);
    const { instance } = record;
    const { heartbeatInterval = instance.heartbeatInterval, healthy } = request;
    const isChanged = healthy !== undefined && record.mark('unhealthy', !healthy);
    record.isOurs = true;
    this.#lives(record);
    if (heartbeatInterval !== instance.heartbeatInterval) {
      this.#refresh(record, Object.freeze({ ...record.describe(), heartbeatInterval }));
    } else if (isChanged) this.#refresh(record, record.instance);
    return this.#renew(record);
  }

  /** Renews many leases; one that is refused does not keep the others from theirs. */
  heartbeats(requests: readonly HeartbeatRequest[]): BeatResult[] {
    return requests.map((request) => {
      try {
        return this.heartbeat(request);
      } catch (error) {
        if (error instanceof RegistryError) return error;
        throw error;
      }
    });
  }

  /**
   * Removes an instance at once.
   *
   * @returns the instance as it was.
   * @throws RegistryError `ERR_INSTANCE_UNKNOWN`, `ERR_INSTANCE_AMBIGUOUS`, or `ERR_INCARNATION_STALE` when an incarnation
   * is given and the instance has another one.
   */
  deregister(request: DeregistrationRequest): Instance {
    this.leases.sweep();
    const record = this.directory.only(request);
    const { incarnation = record.instance.incarnation } = request;
    if (incarnation !== record.instance.incarnation) throw record.stale();
    const instance = record.describe();
    this.#remove(record, 'deregistered');
    return instance;
  }

  /** Removes this run of an instance, if it is still there. @returns whether it was. */
  remove(identity: InstanceIdentity, reason: RemoveReason): boolean {
    this.leases.sweep();
    const record = this.directory.run(identity);
    if (record !== undefined) this.#remove(record, reason);
    return record !== undefined;
  }

  /** A sign of life that is no heartbeat: a check went well, or another server heard one. @returns whether it is known. */
  vouch(identity: InstanceIdentity, isOurs = true): boolean {
    this.leases.sweep();
    const record = this.directory.run(identity);
    if (record === undefined) return false;
    record.isOurs = isOurs;
    this.#lives(record);
    this.#renew(record);
    return true;
  }

  /** Notes something about this run of an instance, or takes the note back. @returns whether it is known. */
  mark(identity: InstanceIdentity, mark: Mark, isSet: boolean): boolean {
    this.leases.sweep();
    const record = this.directory.run(identity);
    if (record === undefined) return false;
    if (record.mark(mark, isSet)) this.#refresh(record, record.instance);
    return true;
  }

  /**
   * What an operator decides about an instance, whether or not it is there: it holds until it is taken back.
   *
   * @param service `name`, or `namespace/name`.
   * @returns what holds from now on.
   * @throws RegistryError `ERR_UNAVAILABLE` when too many are decided about.
   */
  override(service: string, id: string, change: OverrideChange): Override {
    this.leases.sweep();
    const override = this.#overrides.set(service, id, change);
    const record = this.directory.service(service)?.get(id);
    if (record !== undefined) this.#refresh(record, record.instance);
    for (const listener of this.#overrideListeners) listener({ service, id, ...override });
    return override;
  }

  /** All that operators decided. */
  overrides(): readonly StoredOverride[] {
    return [...this.#overrides.entries()];
  }

  /**
   * Takes an instance over from another run of the registry, or another server, with a full lease; its own times are kept.
   *
   * @returns false when something newer is here already.
   */
  adopt(stored: StoredInstance, isOurs = true): boolean {
    this.leases.sweep();
    const content = contentOf(stored);
    const existing = this.directory.service(serviceKey(content))?.get(content.id);
    const holder = this.directory.at(content.host, content.port);
    if ([existing, holder].some((known) => known?.superseded.includes(content.incarnation))) return false;
    if (existing === undefined && holder === undefined && this.leases.size >= this.#maximumInstances)
      return false;
    if (holder !== undefined && holder !== existing) this.#remove(holder, 'replaced');
    const record = existing ?? new InstanceRecord(content, Date.parse(content.lastHeartbeat) || 0);
    record.adopt(stored, isOurs);
    this.#refresh(record, content, existing === undefined);
    this.#renew(record);
    return true;
  }

  /** Who a heartbeat like this is from; throws as {@link Registry.heartbeat} does. */
  identify(request: HeartbeatRequest): InstanceIdentity {
    this.leases.sweep();
    return this.directory.locate(request).identity;
  }

  /** Calls the listener with what holds for an instance after each decision about it. */
  onOverride(listener: (override: StoredOverride) => void): () => void {
    this.#overrideListeners.add(listener);
    return () => {
      this.#overrideListeners.delete(listener);
    };
  }

  /** Calls the listener for each sign of life that came to this very server. Must be quick. */
  onBeat(listener: (record: InstanceRecord) => void): () => void {
    this.#beatListeners.add(listener);
    return () => {
      this.#beatListeners.delete(listener);
    };
  }

  /** Asks the judge what becomes of an instance whose lease ended. Without judges, or when none answers, it is removed. */
  judgeLeases(judge: LeaseJudge): () => void {
    this.#judges.add(judge);
    return () => {
      this.#judges.delete(judge);
    };
  }

  /** Stops its timer and its feed. What is registered stays readable, and no lease ends any more by itself. */
  close(): void {
    this.leases.close();
    this.feed.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #store(existing: InstanceRecord | undefined, request: RegistrationRequest): InstanceRecord {
    const now = this.wallClock.now();
    const incarnation =
      request.incarnation ?? existing?.instance.incarnation ?? makeToken(this.wallClock, this.#random);
    const name = this.directory.nameOf(request);
    const content = instanceOf({ ...request, name, incarnation }, now, existing?.instance);
    const record = existing ?? new InstanceRecord(content, now);
    record.accept(request, incarnation);
    record.isOurs = true;
    record.beat(now);
    this.#refresh(record, content, existing === undefined);
    return record;
  }

  /** Lists what the content has become, if that is any change. */
  #refresh(record: InstanceRecord, content: Instance, isNew = false): void {
    const service = serviceKey(content);
    const instance = record.shown(content, this.#overrides.get(service, content.id));
    if (!isNew && isSameContent(record.instance, instance)) return;
    const wasListed = !isNew && record.isListed;
    const { hashes } = this.directory.set(record, instance, this.feed.nextPosition);
    // Before anybody is told, so that whoever counts on being told counts right.
    if (isNew) this.#renew(record);
    this.feed.publish({ type: 'upsert', service, name: instance.name, instance, wasListed, hashes });
  }

  #remove(record: InstanceRecord, reason: RemoveReason): void {
    const { name, id } = record.instance;
    const { service, isListed: wasListed } = record;
    this.leases.release(record);
    const hashes = this.directory.delete(record, this.feed.nextPosition).hashes;
    this.feed.publish({ type: 'remove', service, name, id, reason, wasListed, hashes });
  }

  #lives(record: InstanceRecord): void {
    record.beat(this.wallClock.now());
    if (record.clearDoubts()) this.#refresh(record, record.instance);
  }

  #renew(record: InstanceRecord): Renewal {
    const durationMs = record.leaseMs;
    const service = this.directory.service(record.service);
    service?.beaten();
    if (record.isOurs) for (const listener of this.#beatListeners) listener(record);
    this.leases.grant(record, durationMs + (record.isOurs ? 0 : remoteGraceMs));
    const expiresAt = isoTime(record.lastHeartbeatMs + durationMs);
    return { lease: { durationMs, expiresAt }, revision: service?.revision ?? this.feed.position };
  }

  #leaseEnded(record: InstanceRecord): void {
    const verdict = this.#judge(record);
    if (verdict === 'remove') {
      this.#remove(record, 'expired');
      return;
    }
    this.leases.grant(record, record.leaseMs);
    if (verdict === 'wait') return;
    record.clearDoubts();
    record.mark(verdict === 'suspect' ? 'suspect' : 'protected', true);
    this.#refresh(record, record.instance);
  }

  #judge(record: InstanceRecord): LeaseVerdict {
    const service = this.directory.service(record.service);
    const { nowMs } = this.leases;
    if (service === undefined) return 'remove';
    for (const judge of this.#judges) {
      const verdict = judge(record, service, nowMs);
      if (verdict !== undefined) return verdict;
    }
    return 'remove';
  }

  #refuseWhenFull(): void {
    if (this.leases.size < this.#maximumInstances) return;
    const detail = `the registry is full: it takes ${this.#maximumInstances} instances`;
    throw new RegistryError('ERR_UNAVAILABLE', detail, 10_000);
  }
}

/** Different from run to run and hard to hit by accident: the time and 52 random bits. */
function makeToken(wallClock: Clock, random: Random): string {
  const time = Math.max(0, Math.trunc(wallClock.now())).toString(36);
  return `${time}-${Math.floor(random() * 2 ** 52).toString(36)}`;
}
