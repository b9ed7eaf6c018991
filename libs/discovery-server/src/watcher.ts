/** Where a watch is written to; a Node `ServerResponse` fits. */
export interface WatchStream {
  /** Characters that were written and not yet taken by the network. */
  readonly writableLength: number;
  write(text: string): unknown;
  end(): unknown;
  destroy(): unknown;
}

/** One open stream of changes, with a bound on what it may have unread. */
export class Watcher {
  /** Undefined: all of them. */
  readonly names: ReadonlySet<string> | undefined;
  readonly #stream: WatchStream;
  readonly #maximumBufferedBytes: number;
  #limitBytes: number;

  constructor(stream: WatchStream, names: ReadonlySet<string> | undefined, maximumBufferedBytes: number) {
    this.names = names;
    this.#stream = stream;
    this.#maximumBufferedBytes = maximumBufferedBytes;
    this.#limitBytes = maximumBufferedBytes;
  }

  /** Sends what it has to begin with. That alone may exceed the bound: a large snapshot takes its time to drain. */
  open(text: string): void {
    this.#limitBytes = this.#maximumBufferedBytes + text.length;
    this.#stream.write(text);
  }

  /** @returns false when it has too much unread; it is then closed, and its client comes back and resumes. */
  send(text: string): boolean {
    const buffered = this.#stream.writableLength;
    if (buffered <= this.#maximumBufferedBytes) this.#limitBytes = this.#maximumBufferedBytes;
    if (buffered > this.#limitBytes) {
      this.destroy();
      return false;
    }
    this.#stream.write(text);
    return true;
  }

  end(): void {
    this.#stream.end();
  }

  destroy(): void {
    this.#stream.destroy();
  }
}
