import type { RateLaw } from './rate-law.ts';

/** Where the cells of a law are kept. */
export interface RateCells {
  /** Whether one cell is for everybody. */
  readonly shared: boolean;
  readonly cells: Float64Array;
  /** Where the cell of this key begins, now. It stays there as long as the cell owes something or is held. */
  locate(key: unknown, now: number): number;
  /** Where the cells that may owe something begin. */
  places(): Iterable<number>;
  /** Whether somebody waits at the cell, so that it must stay. */
  hold(at: number, held: boolean): void;
  /** Keys that have a cell of their own. */
  readonly size: number;
}

/** One cell for everybody. */
export class OneCell implements RateCells {
  readonly shared = true;
  readonly cells: Float64Array;
  readonly size = 0;

  constructor(law: RateLaw) {
    this.cells = new Float64Array(law.width);
    law.clear(this.cells, 0);
  }

  locate(): number {
    return 0;
  }

  places(): Iterable<number> {
    return [0];
  }

  hold(): void {
    // It always stays.
  }
}

/** How many of the longest unused keys are looked at for one that owes nothing. */
const glances = 8;

/**
 * A cell for each key, at most `maxKeys`, in one array that grows to what is needed. A key that owes nothing is as good as
 * unknown, so its row goes to the next newcomer; one that owes keeps its row. When all rows owe, newcomers share row 0, so a
 * flood of keys neither takes memory nor clears a debt. A newcomer starts from what row 0 owes, which may be its own.
 */
export class KeyedCells implements RateCells {
  readonly shared = false;
  readonly #law: RateLaw;
  readonly #maxKeys: number;
  readonly #rows = new Map<unknown, number>();
  readonly #keys: unknown[] = [undefined];
  readonly #held = new Set<number>();
  // A ring of rows in order of use; row 0 stands between the latest and the longest unused one.
  #later = new Int32Array(1);
  #earlier = new Int32Array(1);
  #cells: Float64Array;

  constructor(law: RateLaw, maxKeys: number) {
    this.#law = law;
    this.#maxKeys = maxKeys;
    this.#cells = new Float64Array(law.width);
    law.clear(this.#cells, 0);
  }

  get cells(): Float64Array {
    return this.#cells;
  }

  get size(): number {
    return this.#rows.size;
  }

  locate(key: unknown, now: number): number {
    const row = this.#rows.get(key) ?? this.#settle(key, now);
    if (row !== 0 && this.#earlier[0] !== row) {
      this.#unlink(row);
      this.#linkLatest(row);
    }
    return row * this.#law.width;
  }

  *places(): Iterable<number> {
    for (let row = 0; row < this.#keys.length; row++) yield row * this.#law.width;
  }

  hold(at: number, held: boolean): void {
    if (held) this.#held.add(at);
    else this.#held.delete(at);
  }

  /** Finds a row for a new key: one that owes nothing, else a new one, else the shared one. */
  #settle(key: unknown, now: number): number {
    let row = this.#idleRow(now);
    if (row !== 0) {
      this.#rows.delete(this.#keys[row]);
    } else if (this.#rows.size < this.#maxKeys) {
      row = this.#keys.length;
      this.#grow(row);
    } else {
      return 0;
    }
    this.#keys[row] = key;
    this.#rows.set(key, row);
    const { width } = this.#law;
    this.#cells.copyWithin(row * width, 0, width);
    return row;
  }

  #idleRow(now: number): number {
    let row = this.#later[0] ?? 0;
    for (let glance = 0; glance < glances && row !== 0; glance++) {
      const at = row * this.#law.width;
      if (this.#law.resetMs(this.#cells, at, now) === 0 && !this.#held.has(at)) return row;
      row = this.#later[row] ?? 0;
    }
    return 0;
  }

  #grow(row: number): void {
    if (row >= this.#later.length) {
      const rows = Math.min(this.#maxKeys + 1, Math.max(8, row * 2));
      this.#cells = enlarged(this.#cells, new Float64Array(rows * this.#law.width));
      this.#later = enlarged(this.#later, new Int32Array(rows));
      this.#earlier = enlarged(this.#earlier, new Int32Array(rows));
    }
    this.#linkLatest(row);
  }

  #linkLatest(row: number): void {
    const latest = this.#earlier[0] ?? 0;
    this.#later[latest] = row;
    this.#earlier[row] = latest;
    this.#later[row] = 0;
    this.#earlier[0] = row;
  }

  #unlink(row: number): void {
    const later = this.#later[row] ?? 0;
    const earlier = this.#earlier[row] ?? 0;
    this.#later[earlier] = later;
    this.#earlier[later] = earlier;
  }
}

function enlarged<A extends Float64Array | Int32Array>(from: A, to: A): A {
  to.set(from);
  return to;
}
