import type { Instance, Resolution } from '@mesh/discovery-client';
import { addressKey, normalizeHost } from './address.ts';
import type { InstanceRecord } from './instance-record.ts';
import type { DeregistrationRequest } from './registration.ts';

/** A service and its instances as `GET /services` shows them. */
export interface ServiceView {
  readonly name: string;
  readonly instances: readonly Instance[];
  /** Position of the last change of this very service; other services do not move it. */
  readonly revision: string;
}

/** The living instances of one name, in the order in which they came. */
export class ServiceEntry {
  readonly name: string;
  readonly #records = new Map<string, InstanceRecord>();
  #revision = '';
  #resolution: Resolution | undefined;

  constructor(name: string) {
    this.name = name;
  }

  get size(): number {
    return this.#records.size;
  }

  get revision(): string {
    return this.#revision;
  }

  get(id: string): InstanceRecord | undefined {
    return this.#records.get(id);
  }

  set(record: InstanceRecord, revision: string): void {
    this.#records.set(record.instance.id, record);
    this.#changed(revision);
  }

  delete(id: string, revision: string): void {
    this.#records.delete(id);
    this.#changed(revision);
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
  describe(): Instance[] {
    return Array.from(this.#records.values(), (record) => record.describe());
  }

  view(): ServiceView {
    return { name: this.name, instances: this.describe(), revision: this.#revision };
  }

  /** Frozen, and the same object until this service changes. */
  resolution(): Resolution {
    return (this.#resolution ??= Object.freeze<Resolution>({
      instances: Object.freeze(Array.from(this.#records.values(), (record) => record.instance)),
      revision: this.#revision,
      ageMs: 0,
      source: 'fresh',
    }));
  }

  #changed(revision: string): void {
    this.#revision = revision;
    this.#resolution = undefined;
  }
}
