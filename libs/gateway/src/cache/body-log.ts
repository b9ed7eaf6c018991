/** The chunks of a body in order; what every reader has passed can be let go. */
export class BodyLog {
  #chunks: Buffer[] = [];
  /** How many were let go. */
  #gone = 0;
  #goneBytes = 0;
  #bytes = 0;

  /** All bytes that came. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Bytes that are held. */
  get heldBytes(): number {
    return this.#bytes - this.#goneBytes;
  }

  /** What is held. */
  get chunks(): readonly Buffer[] {
    return this.#chunks;
  }

  push(chunk: Buffer): void {
    this.#chunks.push(chunk);
    this.#bytes += chunk.length;
  }

  /** The chunk of this number; undefined when it has not come yet. */
  get(index: number): Buffer | undefined {
    return this.#chunks[index - this.#gone];
  }

  /** Everything from this number on, as one. */
  from(index: number): Buffer {
    const rest = this.#chunks.slice(index - this.#gone);
    return rest.length === 1 && rest[0] !== undefined ? rest[0] : Buffer.concat(rest);
  }

  /** Lets go of what comes before this number. */
  trim(index: number): void {
    const count = Math.min(index - this.#gone, this.#chunks.length);
    if (count <= 0) return;
    for (const chunk of this.#chunks.splice(0, count)) this.#goneBytes += chunk.length;
    this.#gone += count;
  }
}
