import type { Instance } from '@mesh/discovery-client';
import { pageOf } from './instance-page.ts';
import type { LookupFilter } from './lookup-query.ts';
import type { Registry } from './registry.ts';
import type { ServiceEntry } from './service-entry.ts';
import { namespaceOf, serviceName } from './service-key.ts';

/** Which services are asked for. */
export interface ServicesQuery extends LookupFilter {
  readonly namespace?: string | undefined;
  /** Services after this one by name. */
  readonly after?: string | undefined;
  /** At most so many services. */
  readonly limit?: number | undefined;
  /** At most so many instances of each. */
  readonly instances?: number | undefined;
}

/** A service in the answer of `GET /services`. */
interface ListedService {
  readonly name: string;
  readonly namespace?: string;
  readonly instances: readonly Instance[];
  /** How many there are, where `instances` are at most so many. */
  readonly total?: number;
}

/** Services of one answer, which are read when they are written. */
export class ServiceList {
  readonly #query: ServicesQuery;
  readonly #page: readonly ServiceEntry[];
  /** What stands beside the services. */
  readonly #rest: { readonly total?: number; readonly revision: string; readonly next?: string };

  constructor(registry: Registry, query: ServicesQuery) {
    const { namespace = 'default', after = '', limit, search } = query;
    this.#query = query;
    // The revision first: what changes while the list is written is told once more, and never missed.
    const { revision } = registry;
    const matching = registry
      .services()
      .filter(({ key }) => namespace === '*' || namespaceOf(key) === namespace)
      .filter((service) => search === undefined || this.#listed(service).total !== 0);
    const following = matching.filter(({ key }) => key > after);
    this.#page = following.slice(0, limit);
    const next = this.#page.length < following.length ? this.#page.at(-1)?.key : undefined;
    this.#rest = {
      ...(limit !== undefined && { total: matching.length }),
      revision,
      ...(next !== undefined && { next }),
    };
  }

  /** Instances that it has at most. */
  get size(): number {
    const { instances = Infinity } = this.#query;
    return this.#page.reduce((sum, { size }) => sum + Math.min(size, instances), 0);
  }

  toJSON(): object {
    return { services: this.#page.map((service) => this.#shown(service)), ...this.#rest };
  }

  /** A long list in pieces, so that nobody else waits until all of it is encoded. */
  async *pieces(): AsyncGenerator<string> {
    let separator = '{"services":[';
    for (const service of this.#page) {
      yield separator + JSON.stringify(this.#shown(service));
      separator = ',';
      await new Promise(setImmediate);
    }
    yield `],${JSON.stringify(this.#rest).slice(1)}`;
  }

  #shown(service: ServiceEntry): ListedService {
    const { instances, total } = this.#listed(service);
    return {
      ...serviceName(service.key),
      instances,
      ...(this.#query.instances !== undefined && { total }),
    };
  }

  /** Who is looked for is found by the name of the service, or else within it. */
  #listed(service: ServiceEntry) {
    const { instances: limit, search, ...filter } = this.#query;
    const isFound = search === undefined || service.key.includes(search);
    return pageOf(service, { ...filter, offset: 0, limit, search: isFound ? undefined : search });
  }
}
