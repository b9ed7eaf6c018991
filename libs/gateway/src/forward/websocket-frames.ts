import { randomBytes } from 'node:crypto';

/** Status of a Close frame (RFC 6455, 7.4.1): an endpoint goes away. */
const goingAwayCode = 1001;

const closeOpcode = 8;

/**
 * A Close frame that says 1001.
 *
 * @param isMasked as a client must send it (RFC 6455, 5.3).
 */
export function goingAway(isMasked: boolean): Buffer {
  const frame = Buffer.from([0x88, 2, goingAwayCode >> 8, goingAwayCode & 0xff]);
  if (!isMasked) return frame;
  const key = randomBytes(4);
  const payload = [2, 3].map((at) => (frame[at] ?? 0) ^ (key[at - 2] ?? 0));
  return Buffer.concat([Buffer.from([0x88, 0x82]), key, Buffer.from(payload)]);
}

/**
 * Where the frames of one direction of a WebSocket begin and end (RFC 6455, 5.2). It reads their heads and nothing that they carry, and
 * keeps a few numbers whatever comes. What is no WebSocket has no ends: a length above 2^53 is never over.
 */
export class FrameBoundaries {
  /** Bytes of the head that were read; 0 between two frames. */
  #headRead = 0;
  /** Bytes that the head has, as far as is known. */
  #headSize = 2;
  #isMasked = false;
  /** Bytes that are still to come; while the head is read, what it has said of them. */
  #payloadLeft = 0;
  #hasClosed = false;

  /** Whether the last frame has ended and the next has not begun. */
  get isBetween(): boolean {
    return this.#headRead === 0;
  }

  /** Whether a Close frame was among them: no other may follow it. */
  get hasClosed(): boolean {
    return this.#hasClosed;
  }

  /** Reads a chunk, or up to the first end of a frame in it. @returns how many of its bytes were read. */
  read(chunk: Uint8Array, stopsBetween = false): number {
    let at = 0;
    while (at < chunk.length) {
      if (this.#headRead < this.#headSize) this.#readHead(chunk[at++] ?? 0);
      else {
        const step = Math.min(this.#payloadLeft, chunk.length - at);
        this.#payloadLeft -= step;
        at += step;
      }
      if (this.#headRead < this.#headSize || this.#payloadLeft > 0) continue;
      this.#headRead = 0;
      this.#headSize = 2;
      if (stopsBetween) break;
    }
    return at;
  }

  #readHead(byte: number): void {
    const at = this.#headRead++;
    if (at === 0) {
      if ((byte & 0x0f) === closeOpcode) this.#hasClosed = true;
    } else if (at === 1) {
      const length = byte & 0x7f;
      this.#isMasked = byte >= 0x80;
      this.#headSize = 2 + (length === 127 ? 8 : length === 126 ? 2 : 0) + (this.#isMasked ? 4 : 0);
      this.#payloadLeft = length < 126 ? length : 0;
    } else if (at < this.#headSize - (this.#isMasked ? 4 : 0)) {
      this.#payloadLeft = this.#payloadLeft * 256 + byte;
      if (!Number.isSafeInteger(this.#payloadLeft)) this.#payloadLeft = Infinity;
    }
  }
}
