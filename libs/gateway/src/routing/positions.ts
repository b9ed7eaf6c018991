import { isMap, isNode, isPair, isScalar, LineCounter, parseDocument, type Document } from 'yaml';
import type { RouteFault } from './config-error.ts';

/** Most characters of a file of routes. */
const maxLength = 4 * 1024 * 1024;

/** Where in a text something stands. */
export type Position = Pick<RouteFault, 'file' | 'line' | 'column'>;

/** A YAML or JSON text (every JSON document is one of YAML) that knows where its values stand. */
export class SourceText {
  /** What is wrong with the text itself; empty when it can be read. */
  readonly faults: readonly RouteFault[];
  /** The values; undefined when there are faults. */
  readonly value: unknown;
  readonly #file: string | undefined;
  readonly #lines = new LineCounter();
  readonly #document: Document | undefined;

  constructor(text: string, file?: string) {
    this.#file = file;
    if (text.length > maxLength) {
      this.faults = [this.#fault(0, `must be at most ${maxLength} characters`)];
      return;
    }
    const document = parseDocument(text, { lineCounter: this.#lines, prettyErrors: false });
    this.#document = document;
    const faults = document.errors.map(({ pos, message }) => this.#fault(pos[0], message));
    if (faults.length === 0) this.value = this.#read(document, faults);
    this.faults = faults;
  }

  /** The place of a value; of one that is missing, that of what it is missing from. */
  position(path: readonly PropertyKey[]): Position {
    for (let length = path.length; length > 0; length--) {
      const start = this.#startOf(path.slice(0, length));
      if (start !== undefined) return this.#at(start);
    }
    return this.#at(0);
  }

  /** Where a value begins; for the value of a key, where the key does. */
  #startOf(path: readonly PropertyKey[]): number | undefined {
    const parent: unknown =
      path.length === 1 ? this.#document?.contents : this.#document?.getIn(path.slice(0, -1), true);
    const key = path.at(-1);
    if (isMap(parent)) {
      const pair = parent.items.find(
        (item) => isPair(item) && isScalar(item.key) && String(item.key.value) === key,
      );
      return isNode(pair?.key) ? pair.key.range?.[0] : undefined;
    }
    const node: unknown = this.#document?.getIn(path, true);
    return isNode(node) ? node.range?.[0] : undefined;
  }

  #read(document: Document, faults: RouteFault[]): unknown {
    try {
      // Aliases may make a short text very long.
      return document.toJS({ maxAliasCount: 100 });
    } catch (error) {
      faults.push(this.#fault(0, (error as Error).message));
      return undefined;
    }
  }

  #fault(offset: number, message: string): RouteFault {
    return { ...this.#at(offset), path: '', message };
  }

  #at(offset: number): Position {
    const { line, col } = this.#lines.linePos(offset);
    const file = this.#file === undefined ? {} : { file: this.#file };
    return { ...file, line: Math.max(1, line), column: Math.max(1, col) };
  }
}
