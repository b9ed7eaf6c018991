import type { Instance } from '@mesh/discovery-client';
import { addressKey, hostPort, normalizeHost } from './address.ts';
import type { InstanceRecord } from './instance-record.ts';
import type { DeregistrationRequest, HeartbeatRequest, InstanceIdentity } from './registration.ts';
import { RegistryError } from './registry-error.ts';
import { serviceKey } from './service-key.ts';
import type { ServiceName } from './service-key.ts';
import { ServiceEntry } from './service-entry.ts';

/** Finds records by service and id, and by address; a service without instances is forgotten. */
export class Directory {
  readonly #services = new Map<string, ServiceEntry>();
  readonly #addresses = new Map<string, InstanceRecord>();

  /** Number of services. */
  get size(): number {
    return this.#services.size;
  }

  /** The name of a service, as one text for all of its instances. */
  nameOf(request: ServiceName): string {
    return this.#services.get(serviceKey(request))?.name ?? request.name;
  }

  service(key: string): ServiceEntry | undefined {
    return this.#services.get(key);
  }

  /** Services of these keys as far as there are any, or all. */
  *services(keys?: Iterable<string>): Generator<ServiceEntry> {
    if (keys === undefined) return yield* this.#services.values();
    for (const key of keys) {
      const service = this.#services.get(key);
      if (service !== undefined) yield service;
    }
  }

  /** Who is listed at an address, under whichever name and id. */
  at(host: string, port: number): InstanceRecord | undefined {
    return this.#addresses.get(addressKey(host, port));
  }

  /** Lists a record with this content, at the address that the content says. @returns its service. */
  set(record: InstanceRecord, instance: Instance, position: string): ServiceEntry {
    this.#addresses.delete(record.address);
    const key = serviceKey(instance);
    const service = this.#services.get(key) ?? new ServiceEntry(key);
    this.#services.set(key, service);
    service.set(record, instance, position);
    this.#addresses.set(record.address, record);
    return service;
  }

  /** @returns the service it was in. */
  delete(record: InstanceRecord, position: string): ServiceEntry {
    const service = this.#services.get(record.service) ?? new ServiceEntry(record.service);
    this.#addresses.delete(record.address);
    service.delete(record, position);
    if (service.size === 0) this.#services.delete(service.key);
    return service;
  }

  /**
   * Whose heartbeat this is: by its id, or by its address when it names none.
   *
   * @throws RegistryError `ERR_INSTANCE_UNKNOWN`, or `ERR_INCARNATION_STALE` when the sender was replaced.
   */
  locate(request: HeartbeatRequest): InstanceRecord {
    const { name, port, id, incarnation } = request;
    const host = normalizeHost(request.host);
    const key = serviceKey(request);
    const holder = this.at(host, port);
    const record = id === undefined ? holder : this.#services.get(key)?.get(id);
    const isMeant = record?.instance.port === port && record.service === key;
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
    const [record, other] = this.#services.get(serviceKey(request))?.match(request) ?? [];
    if (record === undefined) {
      throw new RegistryError('ERR_INSTANCE_UNKNOWN', `no such instance of ${name} has port ${port}`);
    }
    if (other === undefined) return record;
    const detail = `several instances of ${name} have port ${port}: name one by host or id`;
    throw new RegistryError('ERR_INSTANCE_AMBIGUOUS', detail);
  }

  /** The record of one run of an instance, undefined when it is gone or another one by now. */
  run({ service, id, incarnation }: InstanceIdentity): InstanceRecord | undefined {
    const record = this.#services.get(service)?.get(id);
    return record?.instance.incarnation === incarnation ? record : undefined;
  }
}
