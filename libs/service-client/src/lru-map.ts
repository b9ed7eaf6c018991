import { integer } from './options.ts';

/** A map that forgets the entry used longest ago when it is full. */
export class LruMap<V> {
  readonly #entries = new Map<string, V>();
  readonly #limit: number;
  #newest: string | undefined;

  /** @param limit most entries kept; RangeError with the option's `name` when it is not an integer >= 1. */
  constructor(limit: number, name = 'limit') {
    this.#limit = integer(name, limit, 1);
  }

  /** Entries kept now. */
  get size(): number {
    return this.#entries.size;
  }

  /** The entries, the one used longest ago first. */
  entries(): IterableIterator<[string, V]> {
    return this.#entries.entries();
  }

  /** The value under `key`; not a use. */
  peek(key: string): V | undefined {
    return this.#entries.get(key);
  }

  /** The value under `key`, made by `create` when there is none; counts as a use. */
  getOrCreate(key: string, create: () => V): V {
    const known = this.#entries.get(key);
    // A key that is the newest already need not move: the usual case of a client that calls few services.
    if (known !== undefined && this.#newest === key) return known;
    const value = known ?? create();
    this.#entries.delete(key);
    this.#entries.set(key, value);
    this.#newest = key;
    if (this.#entries.size > this.#limit) this.#dropOldest();
    return value;
  }

  #dropOldest(): void {
    for (const key of this.#entries.keys()) {
      this.#entries.delete(key);
      return;
    }
  }
}
