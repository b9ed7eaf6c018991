import { StringDecoder } from 'node:string_decoder';

/**
 * Splits a byte stream into lines in bounded memory: of a line longer than the limit only its beginning is
 * kept, and a note says how much is missing.
 */
export class LineSplitter {
  readonly #decoder = new StringDecoder('utf8');
  readonly #onLine: (line: string) => void;
  readonly #longest: number;
  #line = '';
  #dropped = 0;
  #begun = false;

  /** @param longest most characters kept of one line. Default: 16 384. */
  constructor(onLine: (line: string) => void, longest = 16_384) {
    if (!Number.isInteger(longest) || longest < 1) {
      throw new RangeError(`lineSplitter: longest must be an integer >= 1, got ${longest}`);
    }
    this.#onLine = onLine;
    this.#longest = longest;
  }

  push(chunk: Buffer): void {
    this.#take(this.#decoder.write(chunk));
  }

  /** The stream has ended: a last line without a line break is a line too. */
  end(): void {
    this.#take(this.#decoder.end());
    if (this.#begun) this.#emit();
  }

  #take(text: string): void {
    let from = 0;
    for (let to = text.indexOf('\n'); to !== -1; to = text.indexOf('\n', from)) {
      this.#append(text.slice(from, to));
      this.#emit();
      from = to + 1;
    }
    if (from < text.length) this.#append(text.slice(from));
  }

  #append(text: string): void {
    this.#begun = true;
    const room = this.#longest - this.#line.length;
    this.#line += text.slice(0, room);
    this.#dropped += Math.max(0, text.length - room);
  }

  #emit(): void {
    const line = this.#dropped > 0 ? `${this.#line} ... [${this.#dropped} more characters]` : this.#line;
    this.#line = '';
    this.#dropped = 0;
    this.#begun = false;
    this.#onLine(line.endsWith('\r') ? line.slice(0, -1) : line);
  }
}
