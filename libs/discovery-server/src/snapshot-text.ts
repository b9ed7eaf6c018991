import { formatHash } from '@mesh/discovery-client';
import type { Instance } from '@mesh/discovery-client';
import type { ServiceEntry, View } from './service-entry.ts';

/** Instances that are encoded without a pause. About 3 µs each. */
const batchSize = 500;

// By list, which is another one after every change: encoded once for all watchers, and forgotten with the list.
const encoded = new WeakMap<readonly Instance[], string>();

/** What a snapshot is made of. */
export interface SnapshotSource {
  readonly epoch: string;
  /** Position of the last change before the snapshot begins. */
  readonly revision: string;
  /** Keys of the services to show. */
  readonly services: readonly string[];
  readonly view: View;
  /** A service as it is when its turn comes. */
  readonly find: (key: string) => ServiceEntry | undefined;
}

/**
 * A `snapshot` event in pieces, service by service: a registry of 100 000 instances would otherwise stand still while 30 MB
 * are encoded. A service is read when its turn comes, so of one that {@link SnapshotText.awaits} its turn no change needs to
 * be told; of all others every change belongs after the snapshot.
 */
export class SnapshotText {
  readonly #source: SnapshotSource;
  readonly #awaited: Set<string>;

  constructor(source: SnapshotSource) {
    this.#source = source;
    this.#awaited = new Set(source.services);
  }

  /** Whether this service has yet to be read. */
  awaits(service: string): boolean {
    return this.#awaited.has(service);
  }

  *pieces(): Generator<string, undefined> {
    const { epoch, revision, view, services, find } = this.#source;
    yield `id: ${revision}\nevent: snapshot\ndata: {"epoch":"${epoch}","revision":"${revision}","instances":[`;
    const hashes: Record<string, string> = {};
    let separator = '';
    for (const key of services) {
      const service = find(key);
      this.#awaited.delete(key);
      const instances = service?.instances(view) ?? [];
      if (service === undefined || instances.length === 0) continue;
      hashes[key] = formatHash(service.hashes[view]);
      for (const text of encodeList(instances)) {
        yield separator + text;
        separator = ',';
      }
    }
    yield `],"hashes":${JSON.stringify(hashes)}}\n\n`;
    return undefined;
  }
}

/** The instances as JSON, without the brackets. */
function* encodeList(instances: readonly Instance[]): Generator<string> {
  if (instances.length <= batchSize) {
    const text = encoded.get(instances) ?? instances.map((instance) => JSON.stringify(instance)).join(',');
    encoded.set(instances, text);
    yield text;
    return;
  }
  for (let from = 0; from < instances.length; from += batchSize) {
    yield instances
      .slice(from, from + batchSize)
      .map((instance) => JSON.stringify(instance))
      .join(',');
  }
}
