import type { Clock, Instance, Resolution } from '@mesh/discovery-client';
import type { ChangeFeed } from './change-feed.ts';
import type { Change } from './change-log.ts';
import type { Directory } from './directory.ts';
import type { InstanceRecord, Mark } from './instance-record.ts';
import type { LeaseTable } from './lease-table.ts';
import type { InstanceIdentity } from './registration.ts';
import type { ServiceEntry, ServiceView, View } from './service-entry.ts';
import { serviceName } from './service-key.ts';
import { storedOf } from './stored-instance.ts';
import type { StoredInstance } from './stored-instance.ts';

const nobody: readonly Instance[] = Object.freeze([]);

/** What a {@link RegistryView} reads from. */
export interface RegistryParts {
  readonly directory: Directory;
  readonly leases: LeaseTable<InstanceRecord>;
  readonly feed: ChangeFeed;
  readonly clock: Clock;
  readonly wallClock: Clock;
}

/**
 * What can be read of a registry. Every method first ends the leases that ran out: nobody is shown an instance past its
 * lease, however late a timer is.
 */
export class RegistryView {
  protected readonly directory: Directory;
  protected readonly leases: LeaseTable<InstanceRecord>;
  protected readonly feed: ChangeFeed;
  protected readonly wallClock: Clock;
  readonly #clock: Clock;
  readonly #startedAtMs: number;

  protected constructor({ directory, leases, feed, clock, wallClock }: RegistryParts) {
    this.directory = directory;
    this.leases = leases;
    this.feed = feed;
    this.wallClock = wallClock;
    this.#clock = clock;
    this.#startedAtMs = clock.now();
  }

  /** Names this run of the registry: positions of another run mean nothing here. */
  get epoch(): string {
    return this.feed.epoch;
  }

  /** Position of the last change of all, `epoch:revision`. */
  get revision(): string {
    this.leases.sweep();
    return this.feed.position;
  }

  /** Number of instances, whatever their status. */
  get size(): number {
    this.leases.sweep();
    return this.leases.size;
  }

  /** Number of services with an instance. */
  get serviceCount(): number {
    this.leases.sweep();
    return this.directory.size;
  }

  /** Milliseconds since it was made. */
  get uptimeMs(): number {
    return this.#clock.now() - this.#startedAtMs;
  }

  /** Milliseconds in which the process stood still, and which were not charged to the leases. */
  get stalledMs(): number {
    return this.leases.lostMs;
  }

  /** The wall clock's time, ISO 8601. */
  get timestamp(): string {
    return new Date(this.wallClock.now()).toISOString();
  }

  /** Everything that has to outlive this process, one by one. */
  *stored(): Generator<StoredInstance> {
    for (const service of this.directory.services()) {
      for (const record of service.records()) yield storedOf(record);
    }
  }

  /** What to store of one instance, undefined when it is gone. */
  storedInstance(service: string, id: string): StoredInstance | undefined {
    const record = this.directory.service(service)?.get(id);
    return record && storedOf(record);
  }

  /** The time that leases are counted in: monotonic, and standing still while the process does. */
  get leaseNowMs(): number {
    return this.leases.nowMs;
  }

  /** Whether this is noted about a run of an instance that is still there. */
  isMarked(identity: InstanceIdentity, mark: Mark): boolean {
    return this.directory.run(identity)?.has(mark) === true;
  }

  /** Whether the last sign of life of this run of an instance came to this very server. */
  isOurs(identity: InstanceIdentity): boolean {
    return this.directory.run(identity)?.isOurs === true;
  }

  /** How this instance is to be checked; undefined when it is not, or gone. */
  checkOf(identity: InstanceIdentity): InstanceRecord['check'] {
    return this.directory.run(identity)?.check;
  }

  /** The instance of this run as it is listed now, undefined when it is gone. */
  instanceOf(identity: InstanceIdentity): Instance | undefined {
    this.leases.sweep();
    return this.directory.run(identity)?.instance;
  }

  /** All services by key, with their instances. */
  list(view: View = 'listed'): readonly ServiceView[] {
    return this.services().map((service) => viewOf(service, view));
  }

  /** Services of these keys as far as there are any, or all by key. */
  services(keys?: Iterable<string>): readonly ServiceEntry[] {
    this.leases.sweep();
    const found = [...this.directory.services(keys)];
    return keys === undefined ? found.sort((a, b) => (a.key < b.key ? -1 : 1)) : found;
  }

  /** One service, undefined when it has no instance. Read it at once: it changes. */
  service(key: string): ServiceEntry | undefined {
    this.leases.sweep();
    return this.directory.service(key);
  }

  /** One service with its instances, undefined when it has none. */
  find(key: string, view: View = 'listed'): ServiceView | undefined {
    const service = this.service(key);
    return service && viewOf(service, view);
  }

  /** Position of the last change of one service, undefined when it has no instance. */
  revisionOf(key: string): string | undefined {
    return this.service(key)?.revision;
  }

  /** Every listed instance of these services, or of all. */
  instances(keys?: Iterable<string>): readonly Instance[] {
    this.leases.sweep();
    return Array.from(this.directory.services(keys), (service) => service.describe('listed')).flat();
  }

  /**
   * The instances of a service for callers within this process: frozen and the same object until the service changes,
   * without any copying. Their `lastHeartbeat` is that of the last change. Undefined when there is none.
   */
  peek(key: string): Resolution | undefined {
    return this.service(key)?.resolution();
  }

  /** Like {@link Registry.peek}, with no instances instead of undefined. */
  resolve(key: string): Promise<Resolution> {
    const none = { instances: nobody, revision: this.revision, ageMs: 0, source: 'fresh' } as const;
    return Promise.resolve(this.peek(key) ?? none);
  }

  /** The changes after a position, oldest first; undefined when they are not known (any more): begin with all instances. */
  changesSince(position: string): readonly Change[] | undefined {
    this.leases.sweep();
    return this.feed.since(position);
  }

  /**
   * Calls the listener for every change, in order, while it happens. What a listener throws is dropped.
   *
   * @returns a function that ends it.
   */
  subscribe(listener: (change: Change) => void): () => void {
    return this.feed.subscribe(listener);
  }
}

function viewOf(service: ServiceEntry, which: View): ServiceView {
  const { revision } = service;
  return { ...serviceName(service.key), instances: service.describe(which), revision };
}
