import type { Duplex } from 'node:stream';
import { FrameBoundaries } from './websocket-frames.ts';

/**
 * What one side of a tunnel says to the other: bytes as they are, no faster than they are taken. Its own end ends it; so does a last frame,
 * as soon as the one that is under way has passed.
 */
export class TunnelDirection {
  readonly #from: Duplex;
  readonly #to: Duplex;
  readonly #frames = new FrameBoundaries();
  #lastFrame: Buffer | undefined;
  #isOver = false;

  constructor(from: Duplex, to: Duplex) {
    this.#from = from;
    this.#to = to;
  }

  start(): void {
    this.#from.on('data', (chunk: Buffer) => {
      this.#pass(chunk);
    });
    this.#from.once('end', () => {
      this.#end();
    });
    this.#from.resume();
  }

  /** Has this frame be the last one, unless the side that speaks has sent its own Close frame; what it says after that is dropped. */
  endWith(frame: Buffer): void {
    this.#lastFrame = frame;
    if (this.#frames.isBetween) this.#end(frame);
  }

  #pass(chunk: Buffer): void {
    if (this.#isOver) return;
    const length = this.#frames.read(chunk, this.#lastFrame !== undefined);
    if (!this.#to.write(chunk.subarray(0, length))) this.#hold();
    if (this.#lastFrame !== undefined && this.#frames.isBetween) this.#end(this.#lastFrame);
  }

  #hold(): void {
    this.#from.pause();
    this.#to.once('drain', () => this.#from.resume());
  }

  #end(frame?: Buffer): void {
    if (this.#isOver) return;
    this.#isOver = true;
    if (frame === undefined || this.#frames.hasClosed) this.#to.end();
    else this.#to.end(frame);
    // Until it ends, too, what it still says is read: otherwise its end would not be seen.
    this.#from.resume();
  }
}
