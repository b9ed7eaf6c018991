import { malformed } from './malformed.ts';
import { HeadText } from './head-text.ts';

/** Most digits of a chunk's length: 2^48 bytes. */
const maxDigits = 12;
/** Most bytes of extensions in a whole body; they mean nothing to us (CVE-2024-22019 was a reader without a limit). */
const maxExtensionBytes = 16 * 1024;
const extension = /^(?:;[\w!#$%&'*+.^`|~-]+(?:=(?:[\w!#$%&'*+.^`|~-]+|"[\t !#-[\]-~]*"))?)+$/;
const maxTrailerBytes = 16 * 1024;

const cr = 0x0d;
const lf = 0x0a;
const semicolon = 0x3b;

/** Is given the bytes of a body as views of what was read. */
export type TakeBytes = (bytes: Buffer, at: number, end: number) => void;

/** Reads a chunked body (RFC 9112, 7.1), strictly: every line ends with CRLF. */
export class ChunkedBody {
  #state: 'digits' | 'extension' | 'line-end' | 'data' | 'data-cr' | 'data-lf' | 'trailers' = 'digits';
  #left = 0;
  #digits = 0;
  #extension = '';
  #extensionBytes = 0;
  readonly #trailers = new HeadText(maxTrailerBytes);

  /** The lines of the trailers, each ended by CRLF; undefined as long as the body has not ended. */
  trailers: string | undefined;

  /** Bytes of the chunk that is being read. */
  get left(): number {
    return this.#left;
  }

  /** Reads on from `at`; gives how far it came: not to the end when the body has ended before. @throws HTTPParserError. */
  read(bytes: Buffer, at: number, end: number, take: TakeBytes): number {
    let from = at;
    while (from < end && this.trailers === undefined) {
      if (this.#state === 'data') {
        const upTo = Math.min(end, from + this.#left);
        this.#left -= upTo - from;
        if (this.#left === 0) this.#state = 'data-cr';
        take(bytes, from, upTo);
        from = upTo;
      } else if (this.#state === 'trailers') {
        from = this.#trailers.read(bytes, from, end);
        if (this.#trailers.isWhole) this.trailers = this.#trailers.take().slice(2);
      } else this.#line(bytes[from++] ?? 0);
    }
    return from;
  }

  /** One byte of what stands between the chunks. */
  #line(byte: number): void {
    switch (this.#state) {
      case 'digits':
        this.#digit(byte);
        return;
      case 'extension':
        if (byte !== cr) this.#extend(byte);
        else if (extension.test(this.#extension)) this.#state = 'line-end';
        else throw malformed('a chunk extension');
        return;
      case 'line-end':
        if (byte !== lf) throw malformed('the line of a chunk');
        this.#state = this.#left > 0 ? 'data' : 'trailers';
        this.#digits = 0;
        // The line that has just ended begins the first line of the trailers: so there is one rule for their end.
        if (this.#left === 0) this.#trailers.take('\r\n');
        return;
      case 'data-cr':
        if (byte !== cr) throw malformed('a chunk that is longer than it says');
        this.#state = 'data-lf';
        return;
      default:
        if (byte !== lf) throw malformed('the end of a chunk');
        this.#state = 'digits';
    }
  }

  #extend(byte: number): void {
    if (++this.#extensionBytes > maxExtensionBytes) throw malformed('too long chunk extensions');
    this.#extension += String.fromCharCode(byte);
  }

  #digit(byte: number): void {
    const digit = hexDigit(byte);
    if (digit !== -1 && this.#digits < maxDigits) {
      this.#digits++;
      this.#left = this.#left * 16 + digit;
      return;
    }
    if (this.#digits === 0 || digit !== -1) throw malformed('the length of a chunk');
    if (byte === cr) this.#state = 'line-end';
    else if (byte === semicolon) {
      this.#state = 'extension';
      this.#extension = ';';
    } else throw malformed('the length of a chunk');
  }
}

function hexDigit(byte: number): number {
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30;
  const lower = byte | 0x20;
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1;
}
