import { formatHash } from '@mesh/discovery-client';
import type { Instance } from '@mesh/discovery-client';
import { predicateOf, viewOf } from './lookup-query.ts';
import type { LookupFilter } from './lookup-query.ts';
import type { ServiceEntry } from './service-entry.ts';
import { serviceName } from './service-key.ts';

/** Which instances of a service are asked for. */
export interface InstanceQuery extends LookupFilter {
  /** So many of those that pass, in the order in which they came, are left out. */
  readonly offset?: number | undefined;
  /** At most so many. */
  readonly limit?: number | undefined;
}

/** Some of the instances that pass a filter. */
export interface InstancePage {
  readonly instances: readonly Instance[];
  /** How many pass. */
  readonly total: number;
}

/** Those that are asked for: only they are copied, so that a page of a large service costs what a page is. */
export function pageOf(service: ServiceEntry, query: InstanceQuery): InstancePage {
  const { offset = 0, limit = Infinity } = query;
  const passes = predicateOf({ ...query });
  const isAny = viewOf(query) === 'any';
  const instances: Instance[] = [];
  let total = 0;
  for (const record of service.records()) {
    if (!isAny && !record.isListed) continue;
    if (passes !== undefined && !passes(record.instance)) continue;
    if (total >= offset && instances.length < limit) instances.push(record.describe());
    total += 1;
  }
  return { instances, total };
}

/** The answer of `GET /services/:name`; `total` only where a part was asked for. */
export function encodeService(service: ServiceEntry, query: InstanceQuery): string {
  const { revision, hashes } = service;
  const { instances, total } = pageOf(service, query);
  const hash = formatHash(hashes[viewOf(query)]);
  const isPart = query.limit !== undefined || query.offset !== undefined;
  return JSON.stringify({
    ...serviceName(service.key),
    instances,
    ...(isPart && { total }),
    revision,
    hash,
  });
}
