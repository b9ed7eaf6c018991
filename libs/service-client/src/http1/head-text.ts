import { errors } from 'undici';

/** How many bytes are looked at in one go: most heads are shorter, and what follows them is no text. */
const stride = 2_048;

/** Collects lines up to and without an empty one, over as many reads as it takes. */
export class HeadText {
  /** What there is of it. */
  text = '';
  /** Whether the empty line has come. */
  isWhole = false;
  readonly #maxBytes: number;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /**
   * Reads on from `at`; gives how far it came.
   *
   * @throws HeadersOverflowError when it is too long.
   */
  read(bytes: Buffer, at: number, end: number): number {
    const before = this.text.length;
    const upTo = Math.min(end, at + stride);
    const read = bytes.toString('latin1', at, upTo);
    const text = before === 0 ? read : this.text + read;
    const stop = text.indexOf('\r\n\r\n', Math.max(0, before - 3));
    this.isWhole = stop !== -1;
    if ((this.isWhole ? stop : text.length) > this.#maxBytes) throw new errors.HeadersOverflowError();
    this.text = this.isWhole ? text.slice(0, stop + 2) : text;
    return this.isWhole ? at + stop + 4 - before : upTo;
  }

  /** What was collected; the next one can begin, with `start` as its first characters. */
  take(start = ''): string {
    const { text } = this;
    this.text = start;
    this.isWhole = false;
    return text;
  }
}
