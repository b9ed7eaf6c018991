import type { Instance, Resolution } from './instance.ts';
import { none } from './service-entry.ts';
import { inVersionRange } from './version-range.ts';

/** Which of the instances of a service a caller wants; what is left out does not matter. */
export interface InstanceFilter {
  /** Where they run; of an instance without a zone, its metadata of that name counts. */
  readonly zone?: string;
  /** A version (`1`, `1.4`, `1.4.2`) or a range of them (`^1.4`, `~1.4.2`, `>=1.4 <3`); the same holds. */
  readonly version?: string;
  /** Keys with the value they must have. */
  readonly metadata?: Readonly<Record<string, string>>;
  /** At most this many. Each client gets others, and keeps them while they live. */
  readonly limit?: number;
}

/** Filtered lists that are remembered, so that the same question has the same answer; the oldest goes. */
const maximumFiltered = 1000;

interface Remembered {
  readonly base: Resolution;
  readonly view: FilteredView;
}

/** Answers filtered questions from whole answers; the array is the same while its content is. */
export class FilteredLists {
  readonly #remembered = new Map<string, Remembered>();
  readonly #salt: string;

  /** @param salt Differs from client to client. */
  constructor(salt: string) {
    this.#salt = salt;
  }

  /** The part of `base` that passes; `base` itself when the filter asks for nothing. */
  filter(name: string, base: Resolution, filter: InstanceFilter | undefined): Resolution {
    if (filter === undefined) return base;
    const { zone, version, metadata, limit } = filter;
    if (zone === undefined && version === undefined && metadata === undefined && limit === undefined)
      return base;
    const key = JSON.stringify([name, zone, version, metadata, limit]);
    const known = this.#remembered.get(key);
    if (known?.base === base) return known.view;
    const list = select(base.instances, filter, this.#salt);
    const view = new FilteredView(base, same(known?.view.instances, list) ?? Object.freeze(list));
    this.#remembered.delete(key);
    this.#remembered.set(key, { base, view });
    for (const oldest of this.#remembered.keys()) {
      if (this.#remembered.size <= maximumFiltered) break;
      this.#remembered.delete(oldest);
    }
    return view;
  }
}

/** Throws a RangeError for a filter that could never mean anything. */
export function checkFilter({ limit, version }: InstanceFilter): void {
  if (limit !== undefined && !(Number.isInteger(limit) && limit > 0))
    throw new RangeError(`discoveryClient: limit must be a whole number above 0, got ${limit}`);
  if (version !== undefined) inVersionRange('0.0.0', version);
}

function select(instances: readonly Instance[], filter: InstanceFilter, salt: string): Instance[] {
  const { zone, version, limit } = filter;
  const wanted = Object.entries(filter.metadata ?? {});
  const found = instances.filter(
    (instance) =>
      (zone === undefined || own(instance, 'zone') === zone) &&
      (version === undefined || inVersionRange(own(instance, 'version') ?? '', version)) &&
      wanted.every(([key, value]) => metadata(instance, key) === value),
  );
  return limit === undefined || found.length <= limit ? found : subset(found, limit, salt);
}

/** Services that know nothing of the field put it into their metadata. */
function own(instance: Instance, field: 'zone' | 'version'): string | undefined {
  return instance[field] ?? metadata(instance, field);
}

function metadata(instance: Instance, key: string): string | undefined {
  return Object.hasOwn(instance.metadata, key) ? instance.metadata[key] : undefined;
}

/**
 * Rendezvous hashing (Thaler, Ravishankar, 1998): the instances with the smallest hashes, so that one that comes or goes
 * changes one place at most.
 */
function subset(instances: readonly Instance[], limit: number, salt: string): Instance[] {
  const ranked = instances.map((instance) => ({ instance, rank: hash(salt + instance.id) }));
  ranked.sort((a, b) => a.rank - b.rank);
  const chosen = new Set(ranked.slice(0, limit).map(({ instance }) => instance));
  return instances.filter((instance) => chosen.has(instance));
}

/** FNV-1a, finished as MurmurHash3 does. */
function hash(text: string): number {
  let value = 0x811c9dc5;
  for (let at = 0; at < text.length; at++) value = Math.imul(value ^ text.charCodeAt(at), 0x01000193);
  value = Math.imul(value ^ (value >>> 16), 0x85ebca6b);
  return (value ^ (value >>> 13)) >>> 0;
}

function same(
  known: readonly Instance[] | undefined,
  list: readonly Instance[],
): readonly Instance[] | undefined {
  if (list.length === 0) return none;
  const isSame = known?.length === list.length && known.every((instance, index) => instance === list[index]);
  return isSame ? known : undefined;
}

class FilteredView implements Resolution {
  readonly instances: readonly Instance[];
  readonly revision: string;
  readonly source: Resolution['source'];
  readonly #base: Resolution;

  constructor(base: Resolution, instances: readonly Instance[]) {
    this.#base = base;
    this.instances = instances;
    this.revision = base.revision;
    this.source = base.source;
    Object.freeze(this);
  }

  get ageMs(): number {
    return this.#base.ageMs;
  }
}
