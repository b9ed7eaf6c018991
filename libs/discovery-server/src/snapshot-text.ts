import { formatHash } from '@mesh/discovery-client';
import type { Instance } from '@mesh/discovery-client';
import type { ServiceEntry, View } from './service-entry.ts';

/** The instances of a service at one moment; frozen lists, so that they can be encoded later. */
interface Part {
  readonly key: string;
  readonly instances: readonly Instance[];
  readonly hash: string;
}

/** Instances that are encoded without a pause. About 3 µs each. */
const batchSize = 500;

// By list, which is another one after every change: encoded once for all watchers, and forgotten with the list.
const encoded = new WeakMap<readonly Instance[], string>();

/**
 * A `snapshot` event in pieces. It holds what was listed when it was made, however long the pieces take to be sent: a
 * registry of 100 000 instances would otherwise stand still while 30 MB are encoded.
 */
export class SnapshotText {
  readonly instances: number;
  readonly #parts: readonly Part[];
  readonly #epoch: string;
  readonly #revision: string;

  constructor(epoch: string, revision: string, services: Iterable<ServiceEntry>, view: View) {
    this.#epoch = epoch;
    this.#revision = revision;
    this.#parts = Array.from(services, (service) => ({
      key: service.key,
      instances: service.instances(view),
      hash: formatHash(service.hashes[view]),
    })).filter(({ instances }) => instances.length > 0);
    this.instances = this.#parts.reduce((sum, { instances }) => sum + instances.length, 0);
  }

  *pieces(): Generator<string, undefined> {
    const [epoch, revision] = [JSON.stringify(this.#epoch), JSON.stringify(this.#revision)];
    yield `id: ${this.#revision}\nevent: snapshot\ndata: {"epoch":${epoch},"revision":${revision},"instances":[`;
    let separator = '';
    for (const { instances } of this.#parts) {
      for (const text of encodeList(instances)) {
        yield separator + text;
        separator = ',';
      }
    }
    const hashes = Object.fromEntries(this.#parts.map(({ key, hash }) => [key, hash]));
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
