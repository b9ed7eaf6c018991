import { LRUCache } from 'lru-cache';
import type { Asked } from './asked.ts';
import type { CacheKey } from './cache-key.ts';
import type { StoredAnswer } from './stored-answer.ts';

/** The variants of one key, the newest first; never changed in place, so that its size stays true. */
interface Shelf {
  readonly place: string;
  readonly variants: readonly StoredAnswer[];
}

/** Bounds of an {@link AnswerStore}. */
export interface AnswerStoreOptions {
  readonly maxBytes: number;
  readonly maxEntries: number;
  readonly maxVariants: number;
}

/** Stored answers by key, bounded in bytes and entries: what was not used for longest goes first. */
export class AnswerStore {
  readonly #shelves: LRUCache<string, Shelf>;
  readonly #maxVariants: number;
  /** Keys of each place, so that a change of a resource finds them all. */
  readonly #places = new Map<string, Set<string>>();

  constructor({ maxBytes, maxEntries, maxVariants }: AnswerStoreOptions) {
    this.#maxVariants = maxVariants;
    this.#shelves = new LRUCache({
      max: maxEntries,
      maxSize: maxBytes,
      sizeCalculation: ({ variants }, key) =>
        variants.reduce((sum, answer) => sum + answer.bytes, 2 * key.length),
      dispose: ({ place }, key, reason) => {
        if (reason !== 'set') this.#unlist(place, key);
      },
    });
  }

  /** Bytes that are kept. */
  get bytes(): number {
    return this.#shelves.calculatedSize;
  }

  /** Keys that are kept. */
  get entries(): number {
    return this.#shelves.size;
  }

  /** The newest answer that this request may have, fresh or not. */
  find(key: string, asked: Asked): StoredAnswer | undefined {
    const shelf = this.#shelves.get(key);
    if (shelf === undefined) return undefined;
    for (const answer of shelf.variants) if (answer.matches(asked)) return answer;
    return undefined;
  }

  /** Fields that the newest answer was chosen by; undefined when there is none. */
  varyOf(key: string): readonly string[] | undefined {
    return this.#shelves.peek(key)?.variants[0]?.verdict.vary;
  }

  /** Keeps an answer in place of the same variant; beyond the bound the oldest variant goes. */
  put({ full, place }: CacheKey, answer: StoredAnswer): void {
    const others = this.#shelves.peek(full)?.variants.filter((one) => !one.isSameVariant(answer)) ?? [];
    this.#set(full, { place, variants: [answer, ...others.slice(0, this.#maxVariants - 1)] });
  }

  /** Takes away this answer, unless another has its place already. */
  remove({ full, place }: CacheKey, answer: StoredAnswer): void {
    const variants = this.#shelves.peek(full)?.variants.filter((one) => one !== answer) ?? [];
    if (variants.length === 0) this.#shelves.delete(full);
    else this.#set(full, { place, variants });
  }

  /** Takes away all of a place. */
  removePlace(place: string): number {
    const keys = [...(this.#places.get(place) ?? [])];
    for (const key of keys) this.#shelves.delete(key);
    return keys.length;
  }

  /** Takes away whatever fits; walks through all. */
  removeWhere(fits: (key: string, variants: readonly StoredAnswer[]) => boolean): number {
    const keys = [...this.#shelves.entries()].filter(([key, { variants }]) => fits(key, variants));
    for (const [key] of keys) this.#shelves.delete(key);
    return keys.length;
  }

  #set(key: string, shelf: Shelf): void {
    this.#shelves.set(key, shelf);
    // What is greater than the whole store is not taken, and what stood there is gone.
    if (!this.#shelves.has(key)) this.#unlist(shelf.place, key);
    else {
      const keys = this.#places.get(shelf.place);
      if (keys === undefined) this.#places.set(shelf.place, new Set([key]));
      else keys.add(key);
    }
  }

  #unlist(place: string, key: string): void {
    const keys = this.#places.get(place);
    keys?.delete(key);
    if (keys?.size === 0) this.#places.delete(place);
  }
}
