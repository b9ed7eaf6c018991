import type { WatchStream } from '../watcher.ts';

/** A stream whose network takes only as much as it is told to. */
export class FakeStream implements WatchStream {
  state: 'open' | 'ended' | 'destroyed' = 'open';
  readonly written: string[] = [];
  #buffered = '';

  get writableLength(): number {
    return this.#buffered.length;
  }

  write(text: string): void {
    this.written.push(text);
    this.#buffered += text;
  }

  end(): void {
    this.state = 'ended';
  }

  destroy(): void {
    this.state = 'destroyed';
  }

  /** The network takes that many characters. Default all. */
  drain(length = this.#buffered.length): string {
    const text = this.#buffered.slice(0, length);
    this.#buffered = this.#buffered.slice(length);
    return text;
  }
}
