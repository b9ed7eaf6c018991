import type { View } from './service-entry.ts';

/** Where a watch is written to; a Node `ServerResponse` fits. */
export interface WatchStream {
  /** Characters that were written and not yet taken by the network. */
  readonly writableLength: number;
  write(text: string): unknown;
  end(): unknown;
  destroy(): unknown;
}

/** Which changes a watcher is told of. */
export interface WatchScope {
  /** Keys of services. Undefined: all of a namespace. */
  readonly services: ReadonlySet<string> | undefined;
  /** Where `services` are not named; `*` for all. */
  readonly namespace: string;
  readonly view: View;
}

/** One open stream of changes, with a bound on what it may have unread. */
export class Watcher {
  readonly scope: WatchScope;
  readonly #stream: WatchStream;
  readonly #maximumBufferedBytes: number;
  #limitBytes: number;
  /** What came while the snapshot was still being sent; undefined afterwards. */
  #waiting: string[] | undefined;
  #waitingBytes = 0;
  #awaits: ((service: string) => boolean) | undefined;

  constructor(stream: WatchStream, scope: WatchScope, maximumBufferedBytes: number) {
    this.scope = scope;
    this.#stream = stream;
    this.#maximumBufferedBytes = maximumBufferedBytes;
    this.#limitBytes = maximumBufferedBytes;
  }

  /** Whether the network has taken what was written, so that there is room for the next piece of a long text. */
  get isDrained(): boolean {
    return this.#stream.writableLength <= this.#maximumBufferedBytes;
  }

  /** Sends a piece of what it has to begin with. That alone may exceed the bound: a large one takes its time to drain. */
  open(text: string): void {
    this.#limitBytes += text.length;
    this.#stream.write(text);
  }

  /**
   * Keeps changes back until {@link Watcher.release}: they belong after the snapshot.
   *
   * @param awaits Whether the snapshot has yet to read a service, so that its changes will be in it.
   */
  hold(awaits: (service: string) => boolean): void {
    this.#waiting = [];
    this.#awaits = awaits;
  }

  /** Whether a change of this service need not be told, because the snapshot that is being sent will show it. */
  awaits(service: string): boolean {
    return this.#awaits?.(service) === true;
  }

  /** The snapshot is sent: what was held follows. */
  release(): void {
    const waiting = this.#waiting ?? [];
    this.#waiting = undefined;
    this.#awaits = undefined;
    if (waiting.length > 0) this.open(waiting.join(''));
  }

  /** @returns false when it has too much unread; it is then closed, and its client comes back and resumes. */
  send(text: string): boolean {
    if (this.#waiting !== undefined) return this.#keep(text);
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

  #keep(text: string): boolean {
    this.#waitingBytes += text.length;
    this.#waiting?.push(text);
    if (this.#waitingBytes <= this.#maximumBufferedBytes) return true;
    this.destroy();
    return false;
  }
}
