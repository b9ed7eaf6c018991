import type { Instance, Resolution, SetHash } from '@mesh/discovery-client';
import { combineHash, emptyHash } from '@mesh/discovery-client';
import { addressKey, normalizeHost } from './address.ts';
import type { InstanceRecord } from './instance-record.ts';
import type { DeregistrationRequest } from './registration.ts';
import { serviceName } from './service-key.ts';

/** `listed`: only instances that are up; `any`: all of them. */
export type View = 'listed' | 'any';

/** The hash of a service's set of instances, for either view. */
export type ViewHashes = Readonly<Record<View, SetHash>>;

/** A service and its instances as `GET /services` shows them. */
export interface ServiceView {
  readonly name: string;
  readonly namespace?: string;
  readonly instances: readonly Instance[];
  /** Position of the last change of this very service; other services do not move it. */
  readonly revision: string;
}

const noHashes: ViewHashes = Object.freeze({ listed: emptyHash, any: emptyHash });

/** The instances of one service, in the order in which they came. */
export class ServiceEntry {
  /** `name`, or `namespace/name`. */
  readonly key: string;
  /** The key without its namespace. */
  readonly name: string;
  readonly #records = new Map<string, InstanceRecord>();
  #revision = '';
  #hashes = noHashes;
  #resolution: Resolution | undefined;
  #all: readonly Instance[] | undefined;
  #beats = 0;

  constructor(key: string) {
    this.key = key;
    this.name = serviceName(key).name;
  }

  get size(): number {
    return this.#records.size;
  }

  get revision(): string {
    return this.#revision;
  }

  get hashes(): ViewHashes {
    return this.#hashes;
  }

  /** Grows with every heartbeat: what `describe` answers is the same until it or the revision moves. */
  get beats(): number {
    return this.#beats;
  }

  get(id: string): InstanceRecord | undefined {
    return this.#records.get(id);
  }

  records(): IterableIterator<InstanceRecord> {
    return this.#records.values();
  }

  /** A record that is in by now, in place of what it was before. */
  set(record: InstanceRecord, instance: Instance, revision: string): void {
    if (this.#records.has(instance.id)) this.#toggle(record);
    else this.#records.set(instance.id, record);
    record.replace(instance);
    this.#toggle(record);
    this.#changed(revision);
  }

  delete(record: InstanceRecord, revision: string): void {
    if (this.#records.delete(record.instance.id)) this.#toggle(record);
    this.#changed(revision);
  }

  /** Notes that one of its instances gave a sign of life. */
  beaten(): void {
    this.#beats++;
  }

  /** Every instance that fits, at most two: one is an answer, two are an ambiguity. */
  match({ port, host, id }: DeregistrationRequest): readonly InstanceRecord[] {
    const found: InstanceRecord[] = [];
    for (const record of this.#records.values()) {
      const { instance } = record;
      if (instance.port !== port || (id !== undefined && instance.id !== id)) continue;
      if (host !== undefined && record.address !== addressKey(normalizeHost(host), port)) continue;
      if (found.push(record) === 2) break;
    }
    return found;
  }

  /** The instances, each with its last heartbeat as it is now. */
  describe(view: View): Instance[] {
    const described: Instance[] = [];
    for (const record of this.#records.values()) {
      if (view === 'any' || record.isListed) described.push(record.describe());
    }
    return described;
  }

  /** The instances of a view: frozen, and the same array until this service changes. */
  instances(view: View): readonly Instance[] {
    if (view === 'listed') return this.resolution().instances;
    return (this.#all ??= Object.freeze(Array.from(this.#records.values(), ({ instance }) => instance)));
  }

  /** The listed instances for callers: frozen, and the same object until this service changes. */
  resolution(): Resolution {
    return (this.#resolution ??= Object.freeze<Resolution>({
      instances: Object.freeze(this.#listed()),
      revision: this.#revision,
      ageMs: 0,
      source: 'fresh',
    }));
  }

  #listed(): Instance[] {
    const listed: Instance[] = [];
    for (const { instance } of this.#records.values()) if (instance.status === 'up') listed.push(instance);
    return listed;
  }

  #toggle(record: InstanceRecord): void {
    const { any, listed } = this.#hashes;
    const { hash, isListed } = record;
    this.#hashes = {
      any: combineHash(any, hash),
      listed: isListed ? combineHash(listed, hash) : listed,
    };
  }

  #changed(revision: string): void {
    this.#revision = revision;
    this.#resolution = undefined;
    this.#all = undefined;
  }
}
