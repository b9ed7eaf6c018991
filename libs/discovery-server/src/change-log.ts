import type { Instance } from '@mesh/discovery-client';

/** Why an instance left. */
export type RemoveReason = 'deregistered' | 'expired' | 'replaced';

/** One change of the registry. Revisions grow by one from change to change. */
export type Change =
  | { readonly revision: number; readonly type: 'upsert'; readonly name: string; readonly instance: Instance }
  | {
      readonly revision: number;
      readonly type: 'remove';
      readonly name: string;
      readonly id: string;
      readonly reason: RemoveReason;
    };

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
