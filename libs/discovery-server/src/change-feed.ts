import { ChangeLog } from './change-log.ts';
import type { Change } from './change-log.ts';
import { formatPosition, parsePosition } from './position.ts';

type WithoutRevision<T> = T extends Change ? Omit<T, 'revision'> : never;

/** A change before it has its revision. */
export type ChangeDraft = WithoutRevision<Change>;

/** Numbers the changes of one run of the registry, remembers the last ones and tells whoever listens. */
export class ChangeFeed {
  readonly epoch: string;
  readonly #log: ChangeLog;
  readonly #listeners = new Set<(change: Change) => void>();
  readonly #untold: Change[] = [];
  #telling = false;
  #revision = 0;

  constructor(epoch: string, capacity: number) {
    this.epoch = epoch;
    this.#log = new ChangeLog(capacity);
  }

  /** Position of the last change. */
  get position(): string {
    return formatPosition(this.epoch, this.#revision);
  }

  /** Position of the next change. */
  get nextPosition(): string {
    return formatPosition(this.epoch, this.#revision + 1);
  }

  /**
   * Announces a change that has been made, so that whoever is told reads it everywhere. A change that a listener makes is
   * told after the one it was told of, so that all listeners see one order.
   */
  publish(draft: ChangeDraft): void {
    this.#revision += 1;
    const change: Change = { revision: this.#revision, ...draft };
    this.#log.append(change);
    this.#untold.push(change);
    if (this.#telling) return;
    this.#telling = true;
    for (let next = this.#untold.shift(); next !== undefined; next = this.#untold.shift()) this.#tell(next);
    this.#telling = false;
  }

  /** The changes after a position, undefined when it is of another run or too old. */
  since(position: string): readonly Change[] | undefined {
    const from = parsePosition(position);
    return from?.epoch === this.epoch ? this.#log.since(from.revision) : undefined;
  }

  /** Calls the listener for every change until the function it answers is called. */
  subscribe(listener: (change: Change) => void): () => void {
    // Wrapped, so that the same function given twice is two subscriptions.
    const call = (change: Change): void => {
      listener(change);
    };
    this.#listeners.add(call);
    return () => {
      this.#listeners.delete(call);
    };
  }

  /** Forgets all listeners. */
  close(): void {
    this.#listeners.clear();
  }

  #tell(change: Change): void {
    for (const listener of this.#listeners) {
      try {
        listener(change);
      } catch {
        // A broken observer must not keep an instance from registering.
      }
    }
  }
}
