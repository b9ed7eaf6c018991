import type { Instance } from '@mesh/discovery-client';
import type { ViewHashes } from './service-entry.ts';

/** Why an instance left. `disconnected`: its session broke and nobody listens at its address. */
export type RemoveReason = 'deregistered' | 'expired' | 'disconnected' | 'replaced';

/** What all changes have. */
interface ChangeBase {
  readonly revision: number;
  /** `name`, or `namespace/name`. */
  readonly service: string;
  readonly name: string;
  /** Whether the instance was up before, so that the plain view showed it. */
  readonly wasListed: boolean;
  /** Of the service, after this change. */
  readonly hashes: ViewHashes;
}

/** One change of the registry. Revisions grow by one from change to change. */
export type Change =
  | (ChangeBase & { readonly type: 'upsert'; readonly instance: Instance })
  | (ChangeBase & { readonly type: 'remove'; readonly id: string; readonly reason: RemoveReason });

/** The last changes, in a ring of fixed size, so that a watcher can go on where it stopped. */
export class ChangeLog {
  readonly #capacity: number;
  readonly #ring: Change[] = [];
  #newest = 0;
  #size = 0;

  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  /** Keeps a change, whose revision is the one after the newest, and drops the oldest when full. */
  append(change: Change): void {
    this.#newest = change.revision;
    this.#ring[change.revision % this.#capacity] = change;
    this.#size = Math.min(this.#size + 1, this.#capacity);
  }

  /** The changes after a revision, oldest first; undefined when the ring no longer (or not yet) holds all of them. */
  since(revision: number): readonly Change[] | undefined {
    const missed = this.#newest - revision;
    if (missed < 0 || missed > this.#size) return undefined;
    const changes: Change[] = [];
    for (let next = revision + 1; next <= this.#newest; next++) {
      const change = this.#ring[next % this.#capacity];
      if (change !== undefined) changes.push(change);
    }
    return changes;
  }
}
