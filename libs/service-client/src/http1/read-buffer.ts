/** What one read may bring, where more is not known to come. */
export const sharedBytes = 64 * 1024;
const ownBytes = 64 * 1024;

/**
 * Where a connection reads into. Answers are read into one buffer that all connections share, since Node reads and calls back in one go, and
 * small pieces are copied out of it: it stays in the processor's cache, however many connections there are. As long as much more is still to
 * come a connection has buffers of its own, which are handed on without a copy.
 */
export class ReadBuffer {
  /** What Node reads into. */
  current: Buffer;
  readonly #shared: Buffer | undefined;
  /** Not given to Node yet. */
  #fresh: Buffer | undefined;
  /** Whether a part of it was handed on: then it may not be written again. */
  #isHandedOn = false;

  /** @param shared undefined for a connection that shares nothing. */
  constructor(shared: Buffer | undefined) {
    this.#shared = shared;
    this.#fresh = this.current = shared ?? Buffer.allocUnsafeSlow(ownBytes);
  }

  /** The next buffer for Node, which keeps the one it has when it is given none. */
  readonly next = (): Buffer => {
    const fresh = this.#fresh;
    this.#fresh = undefined;
    return fresh as Buffer;
  };

  /** A part of what was read, to keep. */
  piece(at: number, end: number): Buffer {
    const { current } = this;
    const size = end - at;
    if (current !== this.#shared && size * 2 >= current.length) {
      this.#isHandedOn = true;
      return current.subarray(at, end);
    }
    const copy = Buffer.allocUnsafe(size);
    current.copy(copy, 0, at, end);
    return copy;
  }

  /** A read is over, and at least `left` bytes are still to come. */
  turn(left: number): void {
    const shared = left > sharedBytes ? undefined : this.#shared;
    const isRight = shared === undefined ? this.current !== this.#shared : this.current === shared;
    if (isRight && !this.#isHandedOn) return;
    this.#isHandedOn = false;
    this.#fresh = this.current = shared ?? Buffer.allocUnsafeSlow(ownBytes);
  }
}
