import type { Instance } from '@mesh/discovery-client';
import { addressKey, hostPort } from './address.ts';
import type { InstanceRecord } from './instance-record.ts';
import type { DeregistrationRequest, HeartbeatRequest } from './registration.ts';
import { RegistryError } from './registry-error.ts';
import { ServiceEntry } from './service-entry.ts';

/** Finds records by service and id, and by address; a service without instances is forgotten. */
export class Directory {
  readonly #services = new Map<string, ServiceEntry>();
  readonly #addresses = new Map<string, InstanceRecord>();

  /** Number of services. */
  get size(): number {
    return this.#services.size;
  }

  service(name: string): ServiceEntry | undefined {
    return this.#services.get(name);
  }

  /** Services of these names as far as there are any, or all. */
  *services(names?: Iterable<string>): Generator<ServiceEntry> {
    if (names === undefined) return yield* this.#services.values();
    for (const name of names) {
      const service = this.#services.get(name);
      if (service !== undefined) yield service;
    }
  }

  /** Who is listed at an address, under whichever name and id. */
  at(host: string, port: number): InstanceRecord | undefined {
    return this.#addresses.get(addressKey(host, port));
  }

  /** Lists a record with this content, at the address that the content says. */
  set(record: InstanceRecord, instance: Instance, position: string): void {
    this.#addresses.delete(record.address);
    record.replace(instance);
    this.#addresses.set(record.address, record);
    const { name } = instance;
    const service = this.#services.get(name) ?? new ServiceEntry(name);
    this.#services.set(name, service);
    service.set(record, position);
  }

  delete(record: InstanceRecord, position: string): void {
    const { name, id } = record.instance;
    const service = this.#services.get(name);
    this.#addresses.delete(record.address);
    service?.delete(id, position);
    if (service?.size === 0) this.#services.delete(name);
  }

  /**
   * Whose heartbeat this is: by its id, or by its address when it names none.
   *
   * @throws RegistryError `ERR_INSTANCE_UNKNOWN`, or `ERR_INCARNATION_STALE` when the sender was replaced.
   */
  locate({ name, host, port, id, incarnation }: HeartbeatRequest): InstanceRecord {
    const holder = this.at(host, port);
    const record = id === undefined ? holder : this.#services.get(name)?.get(id);
    const isMeant = record?.instance.name === name && record.instance.port === port;
    if (isMeant && (incarnation ?? record.instance.incarnation) === record.instance.incarnation)
      return record;
    for (const known of [record, holder]) known?.refuseSuperseded(incarnation);
    const detail = `${name} is not registered as ${id ?? hostPort(host, port)}: register again`;
    throw new RegistryError('ERR_INSTANCE_UNKNOWN', detail);
  }

  /**
   * The one instance that is meant.
   *
   * @throws RegistryError `ERR_INSTANCE_UNKNOWN` when there is none, `ERR_INSTANCE_AMBIGUOUS` when there are several.
   */
  only(request: DeregistrationRequest): InstanceRecord {
    const { name, port } = request;
    const [record, other] = this.#services.get(name)?.match(request) ?? [];
    if (record === undefined) {
      throw new RegistryError('ERR_INSTANCE_UNKNOWN', `no such instance of ${name} has port ${port}`);
    }
    if (other === undefined) return record;
    const detail = `several instances of ${name} have port ${port}: name one by host or id`;
    throw new RegistryError('ERR_INSTANCE_AMBIGUOUS', detail);
  }
}
